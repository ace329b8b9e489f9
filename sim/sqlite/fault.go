package sqlite

import (
	"strings"

	"quiesce/sim"
	"quiesce/sim/sqlclient"
)

// leavePrefix begins the request that rolls back the transactions of a process; no
// other request begins so.
const leavePrefix = "leave "

var _ sim.Fallible = (*Store)(nil)

// Fails says whether a fault can strike a request: a database error all but
// ROLLBACK, and the loss of a reply those that commit. Inside a transaction that
// would be a connection which breaks, and those do not.
func (s *Store) Fails(kind sim.FaultKind, req sim.Request) bool {
	if req.Body == "" {
		return false
	}
	mode := req.Body[0]
	switch kind {
	case sim.RequestError:
		return mode != sqlclient.Rollback
	case sim.LostReply:
		return mode == sqlclient.Commit || mode != sqlclient.Begin && mode != sqlclient.Rollback && req.Conn == ""
	}
	return false
}

// Incidents returns nothing: no fault changes the content.
func (s *Store) Incidents(sim.FaultKind) ([]sim.Incident, error) { return nil, nil }

// Retries returns false.
func (s *Store) Retries(sim.Request) bool { return false }

// Cleanup rolls the transaction back if COMMIT has failed: database/sql knows it
// no more then. Any other statement that fails leaves it open.
func (s *Store) Cleanup(kind sim.FaultKind, req sim.Request) (sim.Request, bool) {
	if kind != sim.RequestError || req.Body[0] != sqlclient.Commit {
		return sim.Request{}, false
	}
	req.Body = rollbackBody
	return req, true
}

// rollbackBody is the request ROLLBACK: its mode, and no SQL text.
const rollbackBody = string(sqlclient.Rollback) + "\x00"

// Disconnect returns the request that rolls back the open transactions of a process. If
// that is "" there are none: the database does not go down.
func (s *Store) Disconnect(process string) sim.Request {
	return sim.Request{Store: s.name, Body: leavePrefix + process}
}

// leave rolls back the open transactions of a process.
func (s *Store) leave(process string) error {
	for _, name := range sortedKeys(s.transactions) {
		// The name of a process may hold a # as well.
		if i := strings.LastIndexByte(name, '#'); i >= 0 && name[:i] == process {
			if err := s.end(name, rollbackSQL); err != nil {
				return err
			}
		}
	}
	return nil
}
