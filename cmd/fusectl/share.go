package main

import (
	"io"
	"os"

	"fusectl/internal/graph"
	"fusectl/internal/npyio"
)

// shared holds the things that jobs of a session have in common: files that are opened once for
// all of them, such as weights, and what their plans have packed of these. The
// session's mu guards all but packed.
type shared struct {
	files  map[fileKey]*npyio.File
	open   []io.Closer
	packed *graph.Store
}

// share opens a file for all jobs to come, or all arrays of an archive. A pipe or a
// deflated member isn't shared, since it can't be read at any place at any time; nor
// is what can't be opened: each job finds that out by itself.
func (s *session) share(path string, c common) {
	o := npyio.Options{MaxHeader: int(c.maxHeader), As: c.as.t, Files: s.descriptors}
	file, member, inArchive := npyio.Address(path)
	if !inArchive {
		file = path
	}
	if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
		return
	}
	if !inArchive && !npyio.IsArchive(path) {
		if f, err := npyio.Open(path, o); err == nil {
			s.shareFiles(f, map[fileKey]*npyio.File{{path, c.as.t}: f})
		}
		return
	}
	a, err := npyio.OpenArchive(file, o)
	if err != nil {
		return
	}
	names := a.Names()
	if inArchive {
		names = []string{member}
	}
	files := map[fileKey]*npyio.File{}
	for _, name := range names {
		if f, err := a.Open(name); err == nil {
			files[fileKey{file + ":" + name, c.as.t}] = f
		}
	}
	s.shareFiles(a, files)
}

// shareFiles shares files, which are open as long as one closer isn't called.
func (s *session) shareFiles(open io.Closer, files map[fileKey]*npyio.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shared.open = append(s.shared.open, open)
	for key, f := range files {
		if reading, _ := f.Keeps(); reading == 0 {
			s.shared.files[key] = f
			s.shared.packed.Share(f)
		}
	}
}

// sharedFile is the file that jobs share by that path; nil if they share none.
func (s *session) sharedFile(key fileKey) *npyio.File {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shared.files[key]
}

// close closes what jobs have shared.
func (s *session) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.shared.open {
		c.Close()
	}
}
