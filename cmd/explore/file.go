package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/google/renameio/v2"
)

// A file is where a report goes with -o. A file that was there before stays as it
// is until the report is complete.
type file struct {
	name    string
	pending *renameio.PendingFile // nil for what is no regular file, such as a pipe
	*os.File
}

// create opens the file before the search, so that a name that cannot be written
// to is refused at once. It returns nil for no name.
func create(name string) (*file, error) {
	if name == "" {
		return nil, nil
	}
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return nil, fileError("-o", name, err)
		}
		return &file{name, nil, f}, nil
	}
	p, err := renameio.NewPendingFile(name, renameio.WithPermissions(0o666), renameio.WithExistingPermissions())
	if err != nil {
		return nil, fileError("-o", name, err)
	}
	return &file{name, p, p.File}, nil
}

// finish puts what was written in the place of the file.
func (f *file) finish() error {
	var err error
	if f.pending != nil {
		err = f.pending.CloseAtomicallyReplace()
	} else {
		err = f.Close()
	}
	if err != nil {
		return fileError("-o", f.name, err)
	}
	return nil
}

// abandon removes what was written unless it was finished.
func (f *file) abandon() {
	if f != nil && f.pending != nil {
		f.pending.Cleanup()
	}
}

// fileError says which file a flag could not use; that another name stood for it
// on the way is of no interest.
func fileError(flag, name string, err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return fmt.Errorf("%s %q: %w", flag, name, err)
}
