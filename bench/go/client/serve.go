package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strconv"
)

// serve is the other end of the harness' ClientProcess: Node's channel to a child, which
// is a socket with one JSON value a line. It says that it is ready, then answers each
// question, and ends with the process that asks.
func serve(answer func(question) (any, error)) error {
	fd, err := strconv.Atoi(os.Getenv("NODE_CHANNEL_FD"))
	if err != nil {
		return errors.New("to be started by make bench: there is no NODE_CHANNEL_FD")
	}
	channel := os.NewFile(uintptr(fd), "channel")
	questions, answers := json.NewDecoder(bufio.NewReader(channel)), json.NewEncoder(channel)
	if err := answers.Encode("ready"); err != nil {
		return err
	}
	for {
		var q question
		if err := questions.Decode(&q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		result, err := answer(q)
		if err != nil {
			return err
		}
		if err := answers.Encode(result); err != nil {
			return err
		}
	}
}
