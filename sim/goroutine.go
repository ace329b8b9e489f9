package sim

import (
	"bytes"
	"fmt"
	"path"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// A goroutine is what the runtime shows of one.
type goroutine struct {
	state  string  // running, sync.Mutex.Lock, chan receive, ...; "" if there is none
	frames []frame // the innermost first
}

// A frame is a call that has not returned.
type frame struct {
	function string // sync.(*Mutex).Lock
	file     string
	line     string
}

// lookAt returns the goroutine with an id. It stops all others for a moment.
func lookAt(id int64) goroutine {
	head := fmt.Appendf(nil, "goroutine %d [", id)
	for _, text := range stacks() {
		if rest, ok := bytes.CutPrefix(text, head); ok {
			return parseGoroutine(string(rest))
		}
	}
	return goroutine{}
}

// lookInto returns the goroutines of a bubble, by its name: see bubbleName.
func lookInto(bubble string) (all []goroutine) {
	for _, text := range stacks() {
		head, _, _ := bytes.Cut(text, []byte("\n"))
		if !bytes.Contains(head, []byte("synctest "+bubble+"]")) {
			continue
		}
		if _, rest, ok := bytes.Cut(text, []byte(" [")); ok {
			all = append(all, parseGoroutine(string(rest)))
		}
	}
	return all
}

// stacks returns what the runtime shows of each goroutine.
func stacks() [][]byte {
	buf := make([]byte, 64<<10)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			return bytes.Split(buf[:n], []byte("\n\n"))
		}
		buf = make([]byte, 2*len(buf))
	}
}

// ownStack returns what the runtime shows of the running goroutine: in which bubble it
// is, as in "bubble 7", "" for none, and which goroutine has started it.
func ownStack() (bubble string, parent int64) {
	var room [8 << 10]byte
	buf := room[:]
	for {
		n := runtime.Stack(buf, false)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	text := string(buf)
	header, _, _ := strings.Cut(text, "\n")
	if _, rest, ok := strings.Cut(header, "synctest "); ok {
		bubble, _, _ = strings.Cut(rest, "]")
	}
	if _, rest, ok := cutLast(text, " in goroutine "); ok {
		rest, _, _ = strings.Cut(rest, "\n")
		parent, _ = strconv.ParseInt(rest, 10, 64)
	}
	return bubble, parent
}

func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// parseGoroutine reads what follows "goroutine 7 [" in the format of runtime.Stack.
func parseGoroutine(text string) (g goroutine) {
	lines := strings.Split(text, "\n")
	head, _, _ := strings.Cut(lines[0], "]")
	g.state, _, _ = strings.Cut(head, ",") // for how many minutes it has waited
	for i := 1; i+1 < len(lines); i += 2 {
		function, at := lines[i], strings.TrimSpace(lines[i+1])
		if strings.HasPrefix(function, "created by ") {
			break
		}
		if n := strings.LastIndexByte(function, '('); n > 0 {
			function = function[:n]
		}
		at, _, _ = strings.Cut(at, " ")
		n := strings.LastIndexByte(at, ':')
		if n < 0 {
			break
		}
		g.frames = append(g.frames, frame{function, at[:n], at[n+1:]})
	}
	return g
}

// waiting are the states of a goroutine that waits for another one, or for real time.
var waiting = []string{"chan ", "select", "sync", "semacquire", "sleep", "IO wait"}

// waits reports whether the goroutine waits for another one, or for real time.
func (g goroutine) waits() bool {
	return slices.ContainsFunc(waiting, func(s string) bool { return strings.HasPrefix(g.state, s) })
}

// durable reports whether the goroutine is in a bubble of package testing/synctest, and
// waits for something of the bubble, so that the clock there may go on.
func (g goroutine) durable() bool { return strings.HasSuffix(g.state, durably) }

const durably = " (durable)"

// locks reports whether the goroutine waits for a lock, in a way that is not durable.
func (g goroutine) locks() bool {
	return strings.HasPrefix(g.state, "sync.") && !g.durable() && strings.HasSuffix(g.state, "Lock")
}

// place returns where the code of the user is, and in which call if that is one of a
// library: in sync.(*Mutex).Lock at service.go:158.
func (g goroutine) place() string {
	if len(g.frames) == 0 {
		return "nowhere to be seen"
	}
	at := max(0, slices.IndexFunc(g.frames, frame.users))
	what := "running"
	switch {
	case at > 0:
		what = "in " + g.frames[at-1].function
	case g.waits():
		what = "in " + strings.TrimSuffix(g.state, durably)
	}
	return what + " at " + path.Base(strings.ReplaceAll(g.frames[at].file, `\`, "/")) + ":" + g.frames[at].line
}

// self is the import path of this package; the others of the simulation are beside it.
var self = reflect.TypeFor[System]().PkgPath()

// standard are the first elements of import paths of the standard library.
const standard = " archive bufio bytes cmp compress container context crypto database encoding errors expvar flag fmt hash html internal io iter log maps math mime net os path reflect regexp runtime slices sort strconv strings sync syscall testing text time unicode unique unsafe weak "

// users reports whether the function is neither one of a library nor of the simulation.
// An import path does not depend on where the files are, which -trimpath hides.
func (f frame) users() bool {
	name := path.Base(f.function)
	dot := strings.IndexByte(name, '.')
	if dot < 0 {
		return false // as panic
	}
	pkg := f.function[:len(f.function)-len(name)+dot]
	first, _, _ := strings.Cut(pkg, "/")
	switch {
	case strings.Contains(standard, " "+first+" "):
		return false
	case strings.Contains(f.file, "@v"), strings.Contains(f.file, "/vendor/"):
		return false
	case strings.HasSuffix(f.file, "_test.go"):
		return true
	}
	explore := path.Dir(self) + "/explore"
	return pkg != self && !strings.HasPrefix(pkg, self+"/") && pkg != explore && !strings.HasPrefix(pkg, explore+"/")
}
