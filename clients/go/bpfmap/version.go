package bpfmap

// Version is that of this client: its tag is clients/go/v and this. It stands in the
// user agent of every call.
const Version = "0.1.0"

const userAgent = "bpfmap-go/" + Version
