package bpfmap

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	fleetv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/fleet/v1"
	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// DefaultAddress is where the daemon listens unless it is told otherwise.
const DefaultAddress = "unix:/run/bpfmapd/bpfmapd.sock"

const (
	defaultTimeout         = 30 * time.Second
	defaultMaxMessageBytes = 16 << 20
	// A small window makes a dump wait for acknowledgements; it bounds what the
	// connection buffers for a slow reader.
	windowBytes = 4 << 20
	// Without a bound of its own gRPC would wait up to two minutes before it looks
	// again whether a daemon that was restarted is back.
	maxReconnectDelay = 5 * time.Second
	// A host that vanishes without a word shows itself by nothing else.
	keepaliveTime    = 30 * time.Second
	keepaliveTimeout = 20 * time.Second
)

// DialOption is an option of Dial.
type DialOption func(*dialConfig)

type dialConfig struct {
	tls             *tls.Config
	plaintext       bool
	token           string
	timeout         time.Duration
	batching        Batching
	maxMessageBytes int
	grpc            []grpc.DialOption
}

// WithTLS uses TLS towards a TCP address; nil for the system's certificates. Give
// tls.Config.Certificates to daemons that ask for a client certificate.
func WithTLS(config *tls.Config) DialOption {
	return func(c *dialConfig) {
		if config == nil {
			config = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		c.tls = config
	}
}

// WithPlaintext allows a TCP connection without TLS: anybody on the way can read and
// change maps.
func WithPlaintext() DialOption {
	return func(c *dialConfig) { c.plaintext = true }
}

// WithToken sends a bearer token with every call. It is refused together with
// WithPlaintext, which would give the token away.
func WithToken(token string) DialOption {
	return func(c *dialConfig) { c.token = token }
}

// WithTimeout is how long unary calls may take whose context has no deadline; 30
// seconds by default, 0 for ever. Streams have no limit of their own.
func WithTimeout(timeout time.Duration) DialOption {
	return func(c *dialConfig) { c.timeout = timeout }
}

// WithBatching sets how single calls are gathered.
func WithBatching(batching Batching) DialOption {
	return func(c *dialConfig) { c.batching = batching }
}

// WithoutBatching sends each call by itself.
func WithoutBatching() DialOption {
	return WithBatching(Batching{Off: true})
}

// WithMaxMessageBytes is the largest message that is accepted; 16 MiB by default, as
// the daemon's own limit.
func WithMaxMessageBytes(bytes int) DialOption {
	return func(c *dialConfig) { c.maxMessageBytes = bytes }
}

// WithGRPC passes options to gRPC: interceptors, statistics and so on. They come after
// this package's own.
func WithGRPC(options ...grpc.DialOption) DialOption {
	return func(c *dialConfig) { c.grpc = append(c.grpc, options...) }
}

// Dial makes a client of the daemon at an address: "unix:/path", "host:port" or
// "[IPv6 address]:port"; "" for DefaultAddress. A TCP address needs WithTLS or
// WithPlaintext.
//
// Nothing is sent before the first call, and a connection that was lost is made anew by
// the next one; Client.WaitReady finds out early. Options that contradict each other
// are refused with ErrFieldInvalid.
func Dial(address string, options ...DialOption) (*Client, error) {
	config := dialConfig{timeout: defaultTimeout, maxMessageBytes: defaultMaxMessageBytes}
	for _, option := range options {
		option(&config)
	}
	if address == "" {
		address = DefaultAddress
	}
	target, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	transport, err := transportFor(target, &config)
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient(target.grpc, append(grpcOptions(target, transport, &config), config.grpc...)...)
	if err != nil {
		return nil, invalid(ErrFieldInvalid, "address", "%q: %v", address, err)
	}
	client := &Client{
		conn:     conn,
		address:  address,
		maps:     bpfmapv1.NewMapServiceClient(conn),
		hosts:    bpfmapv1.NewHostServiceClient(conn),
		fleet:    fleetv1.NewFleetServiceClient(conn),
		timeout:  config.timeout,
		batching: config.batching.withDefaults(),
	}
	client.pipeline = &pipeline{client: client}
	return client, nil
}

// target is a parsed address.
type target struct {
	grpc string
	unix bool
}

func parseAddress(address string) (target, error) {
	malformed := func(why string) (target, error) {
		return target{}, invalid(ErrFieldInvalid, "address", "%q is not an address of bpfmapd: %s", address, why)
	}
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		if rest, ok := strings.CutPrefix(path, "//"); ok {
			path = rest
			if !strings.HasPrefix(path, "/") {
				return malformed(`after "unix://" an absolute path must follow`)
			}
		}
		if path == "" {
			return malformed("the path is empty")
		}
		absolute, err := filepath.Abs(path)
		if err != nil {
			return malformed(err.Error())
		}
		return target{grpc: asURL("unix", absolute), unix: true}, nil
	}
	if strings.HasPrefix(address, "/") || strings.HasPrefix(address, ".") {
		return malformed(`for a unix socket write "unix:` + address + `"`)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return malformed(`expected "unix:/path", "host:port" or "[IPv6 address]:port"`)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return malformed("the port is not within 1 and 65535")
	}
	// The scheme is spelled out because gRPC would take a host called "unix" for one.
	return target{grpc: asURL("dns", "/"+address)}, nil
}

// asURL is how gRPC wants a target: a '#' or '%' must not be taken for a part of a URL.
func asURL(scheme, path string) string {
	return (&url.URL{Scheme: scheme, Path: path}).String()
}

func transportFor(to target, config *dialConfig) (credentials.TransportCredentials, error) {
	switch {
	case to.unix && config.tls != nil:
		return nil, invalid(ErrFieldInvalid, "tls", "it is for TCP addresses only")
	case to.unix:
		return insecure.NewCredentials(), nil
	case config.tls != nil && config.plaintext:
		return nil, invalid(ErrFieldInvalid, "plaintext", "TLS and plaintext exclude each other")
	case config.tls != nil:
		return credentials.NewTLS(config.tls), nil
	case config.plaintext && config.token != "":
		return nil, invalid(ErrFieldInvalid, "token", "plaintext would give the token away: use TLS")
	case config.plaintext:
		return insecure.NewCredentials(), nil
	default:
		return nil, invalid(ErrFieldInvalid, "tls", "a TCP address needs WithTLS, or WithPlaintext to go without")
	}
}

func grpcOptions(to target, transport credentials.TransportCredentials, config *dialConfig) []grpc.DialOption {
	delays := backoff.DefaultConfig
	delays.BaseDelay = 100 * time.Millisecond
	delays.MaxDelay = maxReconnectDelay
	options := []grpc.DialOption{
		grpc.WithUserAgent(userAgent),
		grpc.WithTransportCredentials(transport),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: delays, MinConnectTimeout: maxReconnectDelay}),
		grpc.WithInitialWindowSize(windowBytes),
		grpc.WithInitialConnWindowSize(windowBytes),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(config.maxMessageBytes)),
	}
	if !to.unix {
		options = append(options, grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time:    keepaliveTime,
			Timeout: keepaliveTimeout,
		}))
	}
	if config.token != "" {
		options = append(options, grpc.WithPerRPCCredentials(bearer{config.token, !to.unix}))
	}
	return options
}

// bearer sends a token. A unix socket needs no TLS to keep it.
type bearer struct {
	token string
	tls   bool
}

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + b.token}, nil
}

func (b bearer) RequireTransportSecurity() bool { return b.tls }
