package bpfmap_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
)

func TestDialRefusesWhatIsNoAddressOrContradictsItself(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		address string
		options []bpfmap.DialOption
	}{
		{"/run/socket", nil},
		{"unix:", nil},
		{"unix://host/path", nil},
		{"host", []bpfmap.DialOption{bpfmap.WithPlaintext()}},
		{"host:0", []bpfmap.DialOption{bpfmap.WithPlaintext()}},
		{"host:port", []bpfmap.DialOption{bpfmap.WithPlaintext()}},
		{":7443", []bpfmap.DialOption{bpfmap.WithPlaintext()}},
		{"host:7443", nil},
		{"host:7443", []bpfmap.DialOption{bpfmap.WithPlaintext(), bpfmap.WithTLS(nil)}},
		{"host:7443", []bpfmap.DialOption{bpfmap.WithPlaintext(), bpfmap.WithToken("secret")}},
		{"unix:/run/socket", []bpfmap.DialOption{bpfmap.WithTLS(nil)}},
	} {
		_, err := bpfmap.Dial(c.address, c.options...)
		wantError(t, err, bpfmap.ErrFieldInvalid)
	}
	for _, address := range []string{"", "unix:relative", "unix:///run/socket", "host:7443", "[2001:db8::1]:7443"} {
		var options []bpfmap.DialOption
		if address != "" && address[0] != 'u' {
			options = append(options, bpfmap.WithTLS(nil), bpfmap.WithToken("secret"))
		}
		client, err := bpfmap.Dial(address, options...)
		must(t, err)
		must(t, client.Close())
	}
}

func TestSpeaksTLSWithAClientCertificate(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	files, authority, certificate := certificates(t)
	address := freeAddress(t)
	daemonOf(t, "--tcp", address,
		"--tls-cert", files.certificate, "--tls-key", files.key, "--tls-client-ca", files.authority, "--policy", files.policy)

	config := &tls.Config{RootCAs: authority, Certificates: []tls.Certificate{certificate}, ServerName: "localhost"}
	client, err := bpfmap.Dial(address, bpfmap.WithTLS(config), bpfmap.WithToken("a token that the daemon does not look at"))
	must(t, err)
	defer func() { must(t, client.Close()) }()
	must(t, client.WaitReady(ctx))
	host, err := client.Host(ctx)
	must(t, err)
	if host.GetHostname() == "" {
		t.Error("the host has no name")
	}

	stranger, err := bpfmap.Dial(address, bpfmap.WithTLS(&tls.Config{RootCAs: authority, ServerName: "localhost"}))
	must(t, err)
	defer func() { must(t, stranger.Close()) }()
	_, err = stranger.Host(ctx)
	equal(t, status.Code(err), codes.Unavailable)
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	other, err := bpfmap.Dial("unix:"+t.TempDir()+"/none", bpfmap.WithTimeout(time.Second))
	must(t, err)
	defer func() { must(t, other.Close()) }()
	wantError(t, other.WaitReady(short), context.DeadlineExceeded)
}

func TestSendsItsToken(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	must(t, err)
	var got metadata.MD
	server := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		got, _ = metadata.FromIncomingContext(stream.Context())
		return status.Error(codes.Unauthenticated, "no")
	}))
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	client, err := bpfmap.Dial("unix:"+socket, bpfmap.WithToken("secret"))
	must(t, err)
	defer func() { must(t, client.Close()) }()
	_, err = client.Host(within(t))
	equal(t, status.Code(err), codes.Unauthenticated)
	equal(t, got.Get("authorization")[0], "Bearer secret")
}

type certificateFiles struct{ certificate, key, authority, policy string }

// certificates makes an authority and a certificate for both sides.
func certificates(t *testing.T) (certificateFiles, *x509.CertPool, tls.Certificate) {
	t.Helper()
	directory := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(directory, name)
		must(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return path
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	must(t, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	must(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	authority, err := x509.ParseCertificate(caDER)
	must(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(authority)
	files := certificateFiles{
		write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", keyDER), write("ca.pem", "CERTIFICATE", caDER),
		filepath.Join(directory, "policy.yaml"),
	}
	must(t, os.WriteFile(files.policy, []byte(`
version: 1
identities: {controllers: [{san: [localhost]}]}
rules: [{identities: [controllers], verbs: all, maps: all}]
`), 0o600))
	return files, pool, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// freeAddress gives a port of the loopback address that was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { must(t, listener.Close()) }()
	return listener.Addr().String()
}
