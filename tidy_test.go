package quiesce_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// forbidden says which packages the non-test files of a directory, and of those
// below it, must not import.
var forbidden = map[string][]string{
	"sim":             {"quiesce/model", "quiesce/explore"},
	"sim/redis":       {"quiesce/sim/sqlite", "quiesce/sim/sqlclient"},
	"sim/sqlite":      {"quiesce/sim/redis", "quiesce/sim/redisclient"},
	"sim/redisclient": {"quiesce/sim/redis", "quiesce/sim/sqlite", "quiesce/sim/sqlclient", "github.com/alicebob/miniredis"},
	"sim/sqlclient":   {"quiesce/sim/redis", "quiesce/sim/sqlite", "quiesce/sim/redisclient", "github.com/mattn/go-sqlite3"},
	"sim/sqltext":     {"quiesce"},
	"sim/overlay":     {"quiesce/sim/redis", "quiesce/sim/sqlite", "quiesce/sim/redisclient", "quiesce/sim/sqlclient", "quiesce/sim/sqltext"},
	"sim/history":     {"quiesce/sim/redis", "quiesce/sim/sqlite", "quiesce/sim/redisclient", "quiesce/sim/sqlclient", "quiesce/sim/sqltext", "testing"},
	"model":           {"quiesce/explore"},
	"explore":         {"quiesce/model", "quiesce/sim/redis", "quiesce/sim/sqlite", "quiesce/sim/redisclient", "quiesce/sim/sqlclient"}, // and so explore/report
	"explore/learn":   {"quiesce/explore"},
}

// deterministic are the directories in which nothing may depend on the wall
// clock, on chance or on the scheduler of Go. The progress of cmd/explore is
// outside: it goes to stderr, and no result depends on it.
var deterministic = []string{"sim", "model", "explore"}

// indeterminate are uses of packages, by import path, that are refused there.
var indeterminate = map[string]func(name string) bool{
	"time": func(name string) bool {
		return slices.Contains([]string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}, name)
	},
	"math/rand":    func(string) bool { return true },
	"crypto/rand":  func(string) bool { return true },
	"math/rand/v2": func(name string) bool { return !slices.Contains([]string{"New", "NewPCG", "Rand"}, name) },
}

// seeded are the files that may import math/rand/v2, with a generator that they
// seed themselves: the schedules of the audit are the same in every run.
var seeded = []string{"explore/audit.go"}

// bubbled are the files whose time is that of a bubble of testing/synctest, in which it
// passes only when nothing else can happen.
var bubbled = []string{"explore/learn/bubble.go", "sim/bubble.go", "sim/redisclient/stream.go"}

// watching are the files that may look at real time and start goroutines, to end a run
// in which code of the system under test does not come back. Nothing that they do
// decides an order or a verdict.
var watching = []string{"sim/watchdog.go"}

// asking are the files that may start goroutines which ask for requests, in a process of
// goroutines alone: that orders them as it does those of the code under test.
var asking = []string{"sim/redisclient/stream.go", "sim/redisclient/state.go"}

// measuring is the file that starts goroutines and draws random numbers to see whether they are those of
// the overlay. Nothing but that depends on them.
var measuring = []string{"sim/overlay/active.go"}

// TestTidy keeps the direction of the imports, determinism where it lives, and
// comments on what is exported.
func TestTidy(t *testing.T) {
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		file = filepath.ToSlash(file)
		if err != nil || d.IsDir() || path.Ext(file) != ".go" {
			return err
		}
		switch strings.TrimSuffix(strings.TrimSuffix(d.Name(), ".go"), "_test") {
		case "util", "utils", "common", "helper", "helpers", "misc", "manager":
			t.Errorf("%s: the name does not say what is in the file", file)
		}
		if strings.HasSuffix(file, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(fset, file, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		complain := func(n ast.Node, why string) { t.Errorf("%s: %s", fset.Position(n.Pos()), why) }
		checkImports(f, file, complain)
		if slices.ContainsFunc(deterministic, func(d string) bool { return within(file, d) }) && !slices.Contains(slices.Concat(watching, measuring), file) {
			checkDeterminism(f, file, complain)
		}
		if f.Name.Name != "main" && !ast.IsGenerated(f) {
			checkComments(f, complain)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestTour wants every file of package explore to be in the tour of its documentation, and
// every file that is named there to exist.
func TestTour(t *testing.T) {
	tour, err := os.ReadFile("explore/doc.go")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("explore/*.go")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`[a-z]+\.go\b`).FindAllString(string(tour), -1)
	for _, file := range files {
		name := filepath.Base(file)
		if at := slices.Index(named, name); at >= 0 {
			named = slices.DeleteFunc(named, func(n string) bool { return n == name })
		} else if name != "doc.go" && !strings.HasSuffix(name, "_test.go") {
			t.Errorf("%s is in no tour", name)
		}
	}
	if len(named) > 0 {
		t.Errorf("the tour names %q, which are not there", named)
	}
}

// within reports whether a path is another one or below it.
func within(name, dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") }

// front are the packages of the module that the package of its root may import.
var front = []string{"quiesce/explore", "quiesce/explore/report", "quiesce/sim", "quiesce/sim/redis", "quiesce/sim/sqlite", "quiesce/sim/history", "quiesce/sim/overlay"}

func checkImports(f *ast.File, file string, complain func(ast.Node, string)) {
	for _, imp := range f.Imports {
		imported, _ := strconv.Unquote(imp.Path.Value)
		if path.Dir(file) == "." && within(imported, "quiesce") && !slices.Contains(front, imported) {
			complain(imp, "the root package does not import "+imported)
		}
		for dir, packages := range forbidden {
			if within(file, dir) && slices.ContainsFunc(packages, func(p string) bool { return within(imported, p) }) {
				complain(imp, dir+" does not import "+imported)
			}
		}
	}
}

func checkDeterminism(f *ast.File, file string, complain func(ast.Node, string)) {
	imports := map[string]string{} // by the name in this file
	for _, imp := range f.Imports {
		imported, _ := strconv.Unquote(imp.Path.Value)
		name := path.Base(strings.TrimSuffix(imported, "/v2"))
		if imp.Name != nil {
			name = imp.Name.Name
		}
		imports[name] = imported
		if indeterminate[imported] != nil && imported != "time" && !slices.Contains(seeded, file) || name == "." {
			complain(imp, imported+" is not imported here")
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			if !slices.Contains(bubbled, file) && !slices.Contains(asking, file) { // where one is waited for that may end as a test does
				complain(n, "a goroutine runs when Go wants; tasks are coroutines")
			}
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			if ok && imports[x.Name] == "time" && slices.Contains(bubbled, file) {
				return true
			}
			if ok && indeterminate[imports[x.Name]] != nil && indeterminate[imports[x.Name]](n.Sel.Name) {
				complain(n, x.Name+"."+n.Sel.Name+" is not the same in every run")
			}
		}
		return true
	})
}

// checkComments wants a comment on every exported function, type, constant and
// variable, or on the group in which it is declared, and on the exported methods
// of exported types, except those that every error has.
func checkComments(f *ast.File, complain func(ast.Node, string)) {
	want := func(name *ast.Ident, docs ...*ast.CommentGroup) {
		if name.IsExported() && !slices.ContainsFunc(docs, func(d *ast.CommentGroup) bool { return d.Text() != "" }) {
			complain(name, name.Name+" has no doc comment")
		}
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			exported := true
			if d.Recv != nil {
				x := d.Recv.List[0].Type
				if star, ok := x.(*ast.StarExpr); ok {
					x = star.X
				}
				name, ok := x.(*ast.Ident)
				exported = (!ok || name.IsExported()) && d.Name.Name != "Error" && d.Name.Name != "Unwrap"
			}
			if exported {
				want(d.Name, d.Doc)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					want(s.Name, s.Doc, d.Doc)
				case *ast.ValueSpec:
					for _, name := range s.Names {
						want(name, s.Doc, s.Comment, d.Doc)
					}
				}
			}
		}
	}
}
