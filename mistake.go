package quiesce

import (
	"fmt"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
)

// A mistake is a use of this package that makes no sense, in code that runs where no test
// can be ended. It is what that code panics with.
type mistake struct {
	place string // of the code, as file:line
	text  string
}

func (m *mistake) Error() string { return m.place + ": " + m.text }

// mistakenly returns the mistake of the code that has called this package.
func mistakenly(format string, args ...any) *mistake {
	return &mistake{caller(), fmt.Sprintf(format, args...)}
}

var self = reflect.TypeFor[World]().PkgPath()

// caller returns where the code is that has called this package.
func caller() string {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs[:])])
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, self+".") || strings.HasSuffix(f.File, "_test.go") {
			return fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
		}
		if !more {
			return "somewhere"
		}
	}
}
