package redisclient

import (
	"fmt"
	"strconv"
	"strings"
)

// What a client says to set up its connection is answered here and is no step, since it
// changes nothing that another connection can see: the version of the protocol, and
// whether the keys are remembered that it reads. The requests after it carry that.

// A setup is what a client has said of its connection.
type setup struct {
	resp3   bool
	tracks  bool // CLIENT TRACKING ON, and there is a way to tell it
	optIn   bool // keys are remembered after CLIENT CACHING YES only
	optOut  bool // keys are remembered but after CLIENT CACHING NO
	caching bool // one of these came before the next request
	noLoop  bool
	target  string // REDIRECT: the connection that is told; "" is this one
}

const (
	noCaching = "-ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled\r\n"
	noOptIn   = "-ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.\r\n"
	noOptOut  = "-ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.\r\n"
	noClient  = "-ERR The client ID you want redirect to does not exist\r\n"
	noNotices = "-ERR unknown subcommand 'maint_notifications'. Try CLIENT HELP.\r\n" // as of a server that has none
	ok        = "+OK\r\n"
)

// handshake answers the command in c.args if it sets up the connection.
func (c *conn) handshake() (answer string, isOne bool) {
	switch name := c.args[0]; {
	case Is(name, "HELLO"):
		return c.hello(), true
	case Is(name, "AUTH"):
		return ok, true
	case Is(name, "SELECT") && len(c.args) == 2 && string(c.args[1]) == "0":
		return ok, true
	case Is(name, "CLIENT") && len(c.args) > 1:
		return c.setUp(strings.ToUpper(string(c.args[1])))
	}
	return "", false
}

// hello answers HELLO.
func (c *conn) hello() string {
	if len(c.args) > 1 {
		switch string(c.args[1]) {
		case "2":
			c.setup.resp3 = false
		case "3":
			c.setup.resp3 = true
		default:
			return "-NOPROTO unsupported protocol version\r\n"
		}
	}
	if c.setup.resp3 {
		return hello(3)
	}
	return hello(2)
}

// setUp answers the command CLIENT, if it is one that is answered here.
func (c *conn) setUp(sub string) (answer string, isOne bool) {
	switch sub {
	case "SETINFO", "SETNAME", "NO-EVICT", "NO-TOUCH":
		return ok, true
	case "MAINT_NOTIFICATIONS":
		return noNotices, true
	case "ID":
		if len(c.args) == 2 {
			return ":" + strconv.Itoa(c.keep().number+firstID) + "\r\n", true
		}
	case "TRACKING":
		return c.track()
	case "CACHING":
		if len(c.args) == 3 {
			return c.cacheNext(Is(c.args[2], "YES"), Is(c.args[2], "NO"))
		}
	}
	return "", false
}

// firstID is the ID of the connection with the number 0. HELLO says 1, which is nobody's.
const firstID = 2

// track answers CLIENT TRACKING ON, with options that are simulated.
func (c *conn) track() (answer string, isOne bool) {
	if len(c.args) < 3 || !Is(c.args[2], "ON") || c.setup.tracks {
		return "", false
	}
	s := c.setup
	for i := 3; i < len(c.args); i++ {
		switch option := c.args[i]; {
		case Is(option, "OPTIN"):
			s.optIn = true
		case Is(option, "OPTOUT"):
			s.optOut = true
		case Is(option, "NOLOOP"):
			s.noLoop = true
		case Is(option, "REDIRECT") && i+1 < len(c.args):
			i++
			id, err := strconv.Atoi(string(c.args[i]))
			p := c.client.host()
			if err != nil || !c.client.all.names.has(p, id-firstID) {
				return noClient, true
			}
			s.target = fmt.Sprintf("%s#%d", p.Name(), id-firstID)
		default:
			return "", false
		}
	}
	if s.optIn && s.optOut {
		return "-ERR You can't specify both OPTIN mode and OPTOUT mode\r\n", true
	}
	// In RESP2 there is no push, so a client that names no other connection is never told.
	s.tracks = s.resp3 || s.target != ""
	c.setup = s
	if s.tracks {
		c.keep()
	}
	if s.tracks && s.target == "" {
		c.listen()
	}
	return ok, true
}

// cacheNext answers CLIENT CACHING.
func (c *conn) cacheNext(yes, no bool) (answer string, isOne bool) {
	s := &c.setup
	switch {
	case !yes && !no:
		return "", false
	case !s.optIn && !s.optOut:
		return noCaching, true
	case yes && !s.optIn:
		return noOptIn, true
	case no && !s.optOut:
		return noOptOut, true
	}
	s.caching = true
	return ok, true
}

// header returns what the next request says of its connection, but for its number.
func (s *setup) header() Header {
	if !s.tracks {
		return Header{}
	}
	h := Header{Tracks: true, Caches: true, NoLoop: s.noLoop, Target: s.target}
	switch {
	case s.optIn:
		h.Caches = s.caching
	case s.optOut:
		h.Caches = !s.caching
	}
	s.caching = false
	return h
}

// told says whether the server may send something that is no reply on this connection.
func (s *setup) told() bool { return s.tracks && s.target == "" }
