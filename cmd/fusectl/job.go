package main

import (
	"time"

	"fusectl/internal/graph"
	"fusectl/internal/npyio"
	"fusectl/internal/shape"
)

// job is one graph with its inputs and outputs: what all steps of a command line
// share, be it one command, a chain or a recipe. Its files are its own, and are
// closed with it.
type job struct {
	*session
	files    map[fileKey]*input // what has been opened
	archives map[fileKey]*npyio.Archive
	pipes    *npyio.Pipes
	drawn    map[string]*drawn // pipes that are being opened
	begun    []*npyio.Outputs  // guarded by the session's mu, for abandon
	first    string            // the path of the first input
	recipes  recipeCount
	reports  []stepReport                  // of a chain's or a recipe's steps, for --dry-run
	forms    map[graph.Array]*shape.Layout // of the inputs of operations, a letter an axis
	parts    []graph.Array                 // of inputs, by an index
	started  time.Time
}

// recipeCount counts how deep recipes run each other, and the steps of all.
type recipeCount struct{ depth, steps int }

func (s *session) newJob() *job {
	j := &job{session: s, files: map[fileKey]*input{}, archives: map[fileKey]*npyio.Archive{}, pipes: npyio.NewPipes(), drawn: map[string]*drawn{}, forms: map[graph.Array]*shape.Layout{}, started: time.Now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs[j] = true
	return j
}

// close ends a job: it closes its files.
func (j *job) close() {
	for _, in := range j.files {
		if !in.shared {
			in.file.Close()
		}
	}
	for _, a := range j.archives {
		a.Close()
	}
	for _, d := range j.drawn {
		d.close()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.jobs, j)
}
