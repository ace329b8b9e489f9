// Package overlay makes ordinary goroutines in a bubble of testing/synctest do the same in
// every run, by a file for the flag -overlay of the go command. It is written once for a version of Go:
//
//	go run quiesce/cmd/explore overlay /tmp/quiesce
//	go test -overlay /tmp/quiesce/overlay.json ./...
//
// [Write] copies some files of the user's own GOROOT, changes a few lines in them, and adds some
// small files. Nothing in GOROOT itself changes, the code of the user needs neither a build tag nor a
// linkname, and whatever is built without the flag is as before. The first build with it compiles the standard library once
// more.
//
// In a bubble, then:
//
//   - goroutines take turns. One runs until it waits, ends or calls [runtime.Gosched]; next is the one that has been
//     runnable longest. So who of several is first does not depend on the scheduler, on the number of
//     processors or on the garbage collector.
//   - a wait for a [sync.Mutex] or [sync.RWMutex], and so for a [sync.Once], is durable while the lock is held by
//     goroutines of the same bubble. While anybody else has it, the bubble is not blocked, as without the overlay,
//     and whoever waits for it keeps its turn. So a lock that is held across a request is no hang, and one of a
//     library that tests in parallel share is no false rest.
//   - a lock is handed to whoever has waited for it longest.
//   - select, timers of the same moment, the functions of math/rand and math/rand/v2 and all of crypto/rand
//     draw from streams that start equally in every bubble. Each goroutine has its own, which follow from its place
//     in the tree of goroutines that the bubble has started. So what it draws does not depend on other bubbles, and
//     no two goroutines draw the same.
//   - where the iteration of a map starts follows from the place of the goroutine and the number of entries.
//
// In the whole program the seeds of maps are fixed, so that the order of entries follows from what was done
// to the map, also in another process. Outside of bubbles nothing else changes: an
// iteration starts anywhere, and crypto/rand is that of the operating system.
//
// What stays as it is: a goroutine that waits for another by reading a variable again and again, in a system call or
// in C keeps its turn, so the other never comes. What comes over the network or a channel from outside comes when it comes. The
// order of entries whose keys contain pointers follows from addresses, where a map has more than eight.
// sync.Pool forgets when it wants. A generator that the code seeds itself is in its own hands, and so is what lives
// longer than a bubble, such as a package variable, or a number that is drawn only the first time. After testing/cryptotest.SetGlobalRandom
// crypto/rand has one stream for the whole process, and [Active] says so.
//
// A turn is one of many orders in which goroutines could run between two waits; the others are not tried. The race
// detector finds what depends on them just as well.
//
// A program that is built with the overlay is for tests: its random numbers can be foreseen in a bubble.
package overlay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/google/renameio/v2"
)

// known are the versions of Go that the patches are made for. The files that they change are the
// same in all of them, and TestReplays was run with the last.
var known = regexp.MustCompile(`^go1\.26\.[0-8]$`)

// root is the directory below which everything added or copied is. The go command takes no directory
// for packages whose name begins with an underscore.
const root = "_goroot"

// Write writes the overlay for the go command that runs in the current directory, and returns the
// name of the file for its flag -overlay, which is dir/overlay.json. The files that it
// names, and GOROOT, have to stay where they are. Write makes the directory if need be and leaves alone what is in it
// already, also its own files where they would not change. A version of Go that it
// does not know is an error.
//
//	file, err := overlay.Write(filepath.Join(os.TempDir(), "quiesce"))
func Write(dir string) (file string, err error) {
	if dir == "" {
		return "", errors.New("the overlay has no directory; give one, such as /tmp/quiesce")
	}
	goroot, version, err := environment()
	if err != nil {
		return "", err
	}
	files, err := generate(os.DirFS(filepath.Join(goroot, "src")), version)
	if err != nil {
		return "", err
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	replaced := map[string]string{}
	for name := range files {
		name := filepath.FromSlash(name)
		replaced[filepath.Join(goroot, "src", name)] = filepath.Join(absolute, root, name)
	}
	list, err := json.MarshalIndent(map[string]any{"Replace": replaced}, "", "\t")
	if err != nil {
		return "", err
	}
	for name, text := range files {
		if err := replace(filepath.Join(dir, root, filepath.FromSlash(name)), text); err != nil {
			return "", err
		}
	}
	file = filepath.Join(dir, "overlay.json")
	return file, replace(file, append(list, '\n'))
}

// environment returns where the Go of the current directory is, and which it is.
func environment() (goroot, version string, err error) {
	var stderr bytes.Buffer
	cmd := exec.Command("go", "env", "GOROOT", "GOVERSION")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", "", fmt.Errorf("go env GOROOT GOVERSION: %w: %s", err, strings.Join(strings.Fields(stderr.String()), " "))
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 2 {
		return "", "", fmt.Errorf("go env GOROOT GOVERSION: %q are not two lines", out)
	}
	return strings.TrimSpace(lines[0]), strings.TrimSpace(lines[1]), nil
}

// generate returns the files of the overlay, by their names below src.
func generate(src fs.FS, version string) (map[string][]byte, error) {
	if !known.MatchString(version) {
		return nil, fmt.Errorf("there is no overlay for %s, only for go1.26.0 to go1.26.8; use one of them with GOTOOLCHAIN=go1.26.8, or go test without it", version)
	}
	files := map[string][]byte{}
	for _, p := range patches {
		text, copied := files[p.file]
		if !copied {
			var err error
			if text, err = fs.ReadFile(src, p.file); err != nil {
				return nil, err
			}
		}
		changed, err := p.apply(string(text))
		if err != nil {
			return nil, fmt.Errorf("this GOROOT is not that of %s as it was released: %w; use go test without the overlay", version, err)
		}
		files[p.file] = []byte(changed)
	}
	err := fs.WalkDir(added, root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := added.ReadFile(name)
		files[strings.TrimPrefix(name, root+"/")] = bytes.ReplaceAll(text, []byte("GOVERSION"), []byte(version))
		return err
	})
	return files, err
}

// replace writes a file, unless it is there with that content.
func replace(file string, content []byte) error {
	if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, content) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return err
	}
	return renameio.WriteFile(file, content, 0o666)
}
