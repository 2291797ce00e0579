// Command publish writes the module of the Go client as `go get` takes it: into a
// directory that GOPROXY=file://DIRECTORY names. The zip is made by the rules of the go
// command, so what it would not take is not taken here.
// Usage, in this directory's module: go run ./publish VERSION DIRECTORY
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// source is the module's directory, beside this one.
const source = ".."

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: publish VERSION DIRECTORY")
		os.Exit(2)
	}
	if err := publish(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func publish(version, directory string) error {
	mod, err := os.ReadFile(filepath.Join(source, "go.mod"))
	if err != nil {
		return err
	}
	what := module.Version{Path: modfile.ModulePath(mod), Version: version}
	if err := module.Check(what.Path, what.Version); err != nil {
		return err
	}
	escaped, err := module.EscapePath(what.Path)
	if err != nil {
		return err
	}
	into := filepath.Join(directory, escaped, "@v")
	if err := os.MkdirAll(into, 0o755); err != nil {
		return err
	}
	info, err := json.Marshal(struct {
		Version string
		Time    time.Time
	}{version, time.Now().UTC()})
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{
		"list": []byte(version + "\n"), version + ".info": info, version + ".mod": mod,
	} {
		if err := os.WriteFile(filepath.Join(into, name), text, 0o644); err != nil {
			return err
		}
	}
	archive, err := os.Create(filepath.Join(into, version+".zip"))
	if err != nil {
		return err
	}
	return errors.Join(zip.CreateFromDir(archive, what, source), archive.Close())
}
