package sqlite

import (
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"quiesce/sim"
	"quiesce/sim/sqlclient"
	"quiesce/sim/sqltext"
)

// describeRequest returns the SQL text of a request in one line, with its
// arguments in the place of its parameters.
func describeRequest(req sim.Request) string {
	if strings.HasPrefix(req.Body, leavePrefix) {
		return req.Body
	}
	c, err := sqlclient.ParseCall(req.Body)
	switch {
	case err != nil:
		return err.Error()
	case c.Kind == sqlclient.Begin:
		if b, err := c.Beginning(); err == nil {
			return beginning{b}.String()
		}
		return sqlclient.ErrMalformed.Error()
	case c.Kind == sqlclient.Commit:
		return commitSQL
	case c.Kind == sqlclient.Rollback:
		return rollbackSQL
	}
	var (
		b   strings.Builder
		ps  sqltext.Params
		gap bool
	)
	for sql := c.SQL; len(sql) > 0; {
		t := sqltext.Next(sql)
		sql = sql[len(t.Text):]
		if t.Kind == sqltext.Space {
			gap = b.Len() > 0
			continue
		}
		if gap {
			b.WriteByte(' ')
			gap = false
		}
		if t.Kind == sqltext.Param {
			n := ps.Number(t.Text)
			if v, ok := argument(c.Args, n, t.Text[1:]); ok {
				b.WriteString(literal(v))
				continue
			}
		}
		b.WriteString(oneLine.Replace(t.Text))
	}
	if req.Awaits {
		return "await " + b.String()
	}
	return b.String()
}

// argument returns what is bound to the n-th parameter, which has this name.
func argument(args []driver.NamedValue, n int, name string) (driver.Value, bool) {
	for _, a := range args {
		if a.Name == "" && a.Ordinal == n || a.Name != "" && a.Name == name {
			return a.Value, true
		}
	}
	return nil, false
}

func describeReply(reply string) string {
	if reply == "" {
		return ""
	}
	r := sqlclient.Read(reply, nil)
	switch r.Kind() {
	case sqlclient.Exec:
		res, err := r.Result()
		switch {
		case err != nil:
		case res.Changes == 1:
			return "1 row"
		default:
			return strconv.FormatInt(res.Changes, 10) + " rows"
		}
	case sqlclient.Failed:
		return describeError(r.Err())
	case sqlclient.Done:
		return "OK"
	case sqlclient.Query:
		return describeRows(r)
	}
	return sqlclient.ErrMalformed.Error()
}

func describeRows(r *sqlclient.Reader) string {
	names, _, err := r.Columns()
	if err != nil {
		return describeError(err)
	}
	row := make([]driver.Value, len(names))
	var b strings.Builder
	for {
		ok, err := r.Row(row)
		switch {
		case err != nil && b.Len() > 0:
			return b.String() + "; " + describeError(err)
		case err != nil:
			return describeError(err)
		case !ok && b.Len() == 0:
			return "(no rows)"
		case !ok:
			return b.String()
		}
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		for i, v := range row {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(oneLine.Replace(names[i]) + "=" + literal(v))
		}
	}
}

func describeError(err error) string { return "error: " + oneLine.Replace(err.Error()) }

var oneLine = strings.NewReplacer("\n", `\n`, "\r", `\r`)

// literal returns a value as SQL text.
func literal(v driver.Value) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return fmt.Sprint(v)
		}
		return string(appendJSON(nil, v))
	case bool:
		if v {
			return "TRUE"
		}
		return "FALSE"
	case []byte:
		return "x'" + hex.EncodeToString(v) + "'"
	case string:
		return oneLine.Replace(quote(v))
	case time.Time:
		return quote(v.Format("2006-01-02 15:04:05.999999999-07:00"))
	}
	return fmt.Sprint(v)
}
