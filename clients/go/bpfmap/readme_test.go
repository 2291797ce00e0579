package bpfmap_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
	"github.com/bpfmapd/bpfmapd/clients/go/internal/daemontest"
)

const modulePath = "github.com/bpfmapd/bpfmapd/clients/go"

// imports are the packages that parts of the README name.
var imports = []string{
	"context", "errors", "fmt", "log", "maps", "slices", "time", modulePath + "/bpfmap", modulePath + "/gen/bpfmap/v1",
}

// project is an empty module that takes this one as `go get` would, from a directory made
// by the publisher. Everything else comes from where the go command keeps it.
type project struct {
	directory string
	env       []string
}

func newProject(t *testing.T) *project {
	t.Helper()
	// Of each run its own: the go command keeps what it has of a version.
	version := fmt.Sprintf("v%s-test.%d", bpfmap.Version, time.Now().UnixNano())
	proxy := t.TempDir()
	goCommand(t, "../tools", nil, "run", "./publish", version, proxy)
	cache := strings.TrimSpace(goCommand(t, ".", nil, "env", "GOMODCACHE"))
	t.Cleanup(func() { forget(t, cache, version) })
	p := &project{directory: t.TempDir(), env: []string{
		"GOPROXY=file://" + proxy + ",file://" + cache + "/cache/download," + strings.TrimSpace(goCommand(t, ".", nil, "env", "GOPROXY")),
		"GONOSUMDB=*", "GOFLAGS=",
	}}
	p.run(t, "mod", "init", "example.org/empty")
	return p
}

func (p *project) run(t *testing.T, args ...string) string {
	t.Helper()
	return goCommand(t, p.directory, p.env, args...)
}

func goCommand(t *testing.T, directory string, env []string, args ...string) string {
	t.Helper()
	command := exec.Command("go", args...)
	command.Dir, command.Env = directory, append(os.Environ(), env...)
	var problems strings.Builder
	command.Stderr = &problems
	text, err := command.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, problems.String())
	}
	return string(text)
}

// forget removes a version from where the go command keeps modules.
func forget(t *testing.T, cache, version string) {
	t.Helper()
	kept, err := filepath.Glob(filepath.Join(cache, "cache/download", modulePath, "@v", version+".*"))
	must(t, err)
	for _, file := range kept {
		must(t, os.Remove(file))
	}
	source := filepath.Join(cache, modulePath+"@"+version)
	// The go command makes it read-only.
	must(t, filepath.WalkDir(source, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			err = os.Chmod(path, 0o700)
		}
		return err
	}))
	must(t, os.RemoveAll(source))
}

// programs gives those of the README: whole ones as they stand, and one of all the parts,
// behind the first one's beginning.
func programs(t *testing.T, readme string) []string {
	t.Helper()
	var all []string
	var parts strings.Builder
	for _, match := range regexp.MustCompile("(?ms)^```go\n(.*?)^```$").FindAllStringSubmatch(readme, -1) {
		if strings.HasPrefix(match[1], "package main") {
			all = append(all, match[1])
		} else {
			fmt.Fprintf(&parts, "{\n%s}\n", match[1])
		}
	}
	if len(all) == 0 || parts.Len() == 0 {
		t.Fatal("the README has no programs, or no parts of them")
	}
	beginning, _, found := strings.Cut(all[0], "\n\tif err := hits.Put")
	_, body, alsoFound := strings.Cut(beginning, "func main() {")
	if !found || !alsoFound {
		t.Fatal("the README's first program has no main with hits.Put")
	}
	body += "\n" + parts.String()
	var named strings.Builder
	for _, path := range imports {
		name := strings.Replace(filepath.Base(path), "v1", "bpfmapv1", 1)
		if regexp.MustCompile(`\b` + name + `\.[A-Z]`).MatchString(body) {
			fmt.Fprintf(&named, "import %s %q\n", name, path)
		}
	}
	return append(all, fmt.Sprintf("package main\n\n%s\nfunc main() {%s}\n", named.String(), body))
}

func TestTheReadmesProgramsRunAsTheyStandInAProjectThatTookTheModule(t *testing.T) {
	daemon := daemontest.Start(t)
	readme, err := os.ReadFile("../README.md")
	must(t, err)
	p := newProject(t)
	get := regexp.MustCompile("(?m)^go get (.*)$").FindSubmatch(readme)
	if get == nil {
		t.Fatal("the README does not say how to get the module")
	}
	p.run(t, "get", string(get[1]))
	all := programs(t, string(readme))
	for i, program := range all {
		// The places of a real host become those of this test's daemon.
		text := strings.NewReplacer(
			strings.TrimPrefix(bpfmap.DefaultAddress, "unix:"), daemon.Socket, "/sys/fs/bpf", daemon.BPFFS,
		).Replace(program)
		directory := filepath.Join(p.directory, fmt.Sprintf("program%d", i+1))
		must(t, os.Mkdir(directory, 0o700))
		must(t, os.WriteFile(filepath.Join(directory, "main.go"), []byte(text), 0o600))
	}
	p.run(t, "build", "-o", "bin/", "./...")
	for i, program := range all {
		said, err := exec.Command(filepath.Join(p.directory, "bin", fmt.Sprintf("program%d", i+1))).CombinedOutput()
		if err != nil {
			t.Errorf("program %d: %v\n%s", i+1, err, said)
		}
		checkComments(t, program, string(said))
	}
}

// checkComments compares what a program's comments say that it prints with what it said.
func checkComments(t *testing.T, program, said string) {
	t.Helper()
	lines := strings.Split(said, "\n")
	for _, match := range regexp.MustCompile(`fmt\.Println\(.*\)\s*// (.*)`).FindAllStringSubmatch(program, -1) {
		found := false
		for _, line := range lines {
			found = found || line == match[1]
		}
		if !found {
			t.Errorf("the README says that this prints %q, it printed:\n%s", match[1], said)
		}
	}
}
