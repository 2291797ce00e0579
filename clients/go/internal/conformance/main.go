// Command conformance is the runner of the conformance cases through this client: see
// test/conformance/README.md. Usage: conformance ADDRESS
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"google.golang.org/genproto/googleapis/rpc/code"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
)

// runner does commands, one after the other.
type runner struct {
	client   *bpfmap.Client
	pictures map[string]*picture
	streams  map[string]*recording
}

// command does one command with its arguments.
type command func(context.Context, *runner, json.RawMessage) (any, error)

var commands = map[string]command{}

// register adds a command whose arguments are an Args.
func register[Args any](name string, do func(context.Context, *runner, Args) (any, error)) {
	commands[name] = func(ctx context.Context, r *runner, text json.RawMessage) (any, error) {
		var args Args
		if err := json.Unmarshal(text, &args); err != nil {
			return nil, fmt.Errorf("arguments of %s: %w", name, err)
		}
		return do(ctx, r, args)
	}
}

// nothing is the answer of commands that have none.
type nothing struct{}

type failure struct {
	Code   string   `json:"code"`
	Reason string   `json:"reason"`
	Fields []string `json:"fields"`
}

// answerOf is what a command is answered with. An error that is none of the client's is
// the runner's own, and ends it.
func answerOf(answer any, err error) (any, error) {
	if err == nil {
		return map[string]any{"answer": answer}, nil
	}
	var batch *bpfmap.BatchError
	if errors.As(err, &batch) {
		err = batch.Failures[0].Err
	}
	var e *bpfmap.Error
	if !errors.As(err, &e) {
		return nil, err
	}
	f := failure{Code: code.Code(e.Code).String(), Reason: e.Reason, Fields: []string{}}
	for _, violation := range e.Violations {
		f.Fields = append(f.Fields, violation.Field)
	}
	return map[string]any{"error": f}, nil
}

func (r *runner) run(ctx context.Context) error {
	answers := json.NewEncoder(os.Stdout)
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var named struct{ Command string }
		if err := json.Unmarshal(lines.Bytes(), &named); err != nil {
			return err
		}
		do, known := commands[named.Command]
		if !known {
			return fmt.Errorf("there is no command %q", named.Command)
		}
		answer, err := answerOf(do(ctx, r, lines.Bytes()))
		if err != nil {
			return err
		}
		if err := answers.Encode(answer); err != nil {
			return err
		}
	}
	return lines.Err()
}

func main() {
	client, err := bpfmap.Dial(os.Args[1])
	if err == nil {
		r := &runner{client, map[string]*picture{}, map[string]*recording{}}
		err = errors.Join(r.run(context.Background()), client.Close())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
