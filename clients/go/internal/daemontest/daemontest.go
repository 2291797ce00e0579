// Package daemontest starts real daemons for tests, from the checkout that this module
// lies in, on sockets and bpffs mounts of their own.
package daemontest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 30 * time.Second
)

// Daemon is a daemon for one test or one package of tests.
type Daemon struct {
	// Directory has the daemon's files, BPFFS its only bpffs root, and Socket its unix
	// socket.
	Directory, BPFFS, Socket string

	args    []string
	process *process
}

// process is one run of the daemon.
type process struct {
	pid int
	// ended is closed when it has; err is then what it ended with.
	ended chan struct{}
	err   error
	log   []string
}

// Start starts a daemon with further arguments of `bpfmapd serve`, and stops it when the
// test is over.
func Start(tb testing.TB, args ...string) *Daemon {
	tb.Helper()
	d, err := New(args...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := d.Close(); err != nil {
			tb.Error(err)
		}
	})
	return d
}

// New starts a daemon that Close ends, for TestMain and examples.
func New(args ...string) (*Daemon, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("these tests need root: they make real maps")
	}
	directory, err := os.MkdirTemp("", "bpfmapd-go-")
	if err != nil {
		return nil, err
	}
	d := &Daemon{
		Directory: directory,
		BPFFS:     filepath.Join(directory, "bpffs"),
		Socket:    filepath.Join(directory, "run", "bpfmapd.sock"),
		args:      args,
	}
	if err := os.Mkdir(d.BPFFS, 0o700); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	if err := syscall.Mount("bpf", d.BPFFS, "bpf", 0, ""); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot mount a bpffs: %w", err), d.Close())
	}
	if err := d.Start(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// Address is the daemon's address, for bpfmap.Dial.
func (d *Daemon) Address() string { return "unix:" + d.Socket }

// Start starts the daemon after Stop or Kill, on the same socket and bpffs.
func (d *Daemon) Start() error {
	main, err := mainFile()
	if err != nil {
		return err
	}
	command := exec.Command("node", append([]string{
		main, "--socket", d.Socket, "--bpffs-root", d.BPFFS, "--log-level", "warn",
	}, d.args...)...)
	// The daemon goes with the test's process, however that ends.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p := &process{ended: make(chan struct{})}
	serving := make(chan error, 1)
	go func() {
		// The kernel takes the end of the thread that started a process for its parent's.
		runtime.LockOSThread()
		defer close(p.ended)
		p.run(command, serving)
	}()
	select {
	case err := <-serving:
		if err != nil {
			return err
		}
		d.process = p
		return d.answers()
	case <-time.After(startTimeout):
		return errors.New("the daemon did not start in time")
	}
}

// answers waits for the first byte of a connection. The daemon says that it serves a
// moment before it listens to signals.
func (d *Daemon) answers() error {
	conn, err := net.Dial("unix", d.Socket)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(startTimeout)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	return err
}

// run starts the daemon and reads its log until it ends.
func (p *process) run(command *exec.Cmd, serving chan<- error) {
	stderr, err := command.StderrPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		serving <- err
		return
	}
	p.pid = command.Process.Pid
	told := false
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		p.log = append(p.log, lines.Text())
		var line struct{ Msg string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" && !told {
			told = true
			serving <- nil
		}
	}
	p.err = command.Wait()
	if !told {
		serving <- fmt.Errorf("the daemon ended before it served: %w\n%s", p.err, strings.Join(p.log, "\n"))
	}
}

// Stop asks the daemon to stop and waits until it has.
func (d *Daemon) Stop() error { return d.end(syscall.SIGTERM) }

// Kill ends the daemon without a goodbye, as a crash does.
func (d *Daemon) Kill() error {
	err := d.end(syscall.SIGKILL)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil
	}
	return err
}

// Restart stops the daemon and starts it again.
func (d *Daemon) Restart() error {
	return errors.Join(d.Stop(), d.Start())
}

func (d *Daemon) end(signal syscall.Signal) error {
	p := d.process
	if p == nil {
		return nil
	}
	d.process = nil
	if err := d.signal(p, signal); err != nil {
		return err
	}
	select {
	case <-p.ended:
		return p.err
	case <-time.After(stopTimeout):
		_ = syscall.Kill(p.pid, syscall.SIGKILL)
		<-p.ended
		return errors.New("the daemon did not stop in time")
	}
}

func (d *Daemon) signal(p *process, signal syscall.Signal) error {
	select {
	case <-p.ended:
		return fmt.Errorf("the daemon had ended: %w\n%s", p.err, strings.Join(p.log, "\n"))
	default:
		return syscall.Kill(p.pid, signal)
	}
}

// Pause stops the daemon's process until the function that it gives is called.
func (d *Daemon) Pause() (resume func()) {
	pid := d.process.pid
	_ = syscall.Kill(pid, syscall.SIGSTOP)
	return func() { _ = syscall.Kill(pid, syscall.SIGCONT) }
}

// Close stops the daemon and removes everything of it.
func (d *Daemon) Close() error {
	err := d.Stop()
	// A bpffs that is not mounted, because New failed, is no reason to stop here.
	_ = syscall.Unmount(d.BPFFS, syscall.MNT_DETACH)
	return errors.Join(err, os.RemoveAll(d.Directory))
}

// mainFile finds the compiled daemon of the checkout.
func mainFile() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for directory := start; ; directory = filepath.Dir(directory) {
		main := filepath.Join(directory, "dist", "daemon", "main.js")
		if _, err := os.Stat(main); err == nil {
			return main, nil
		}
		if directory == filepath.Dir(directory) {
			return "", fmt.Errorf("no dist/daemon/main.js above %s: run `make build` first", start)
		}
	}
}
