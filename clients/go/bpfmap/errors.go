package bpfmap

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// errorDomain marks the daemon's own ErrorInfo; those of others, a proxy's say, are not
// its reasons.
const errorDomain = "bpfmapd"

// ErrIncomplete says that a dump ended without every element that stood still
// meanwhile: DumpSummary.incomplete_reason tells why.
var ErrIncomplete = errors.New("bpfmap: the dump is not complete")

// FieldViolation is a field of a request that breaks its rule.
type FieldViolation struct {
	// Field is its path as the contract spells it, such as "spec.max_entries".
	Field string
	// Description says what is wrong with it.
	Description string
}

// Error is what calls fail with: a status of the daemon, of the connection to it, or of
// this package's own checks before anything was sent. Compare its reason with
// errors.Is and the Err variables. Where the call's context ended, errors.Is also
// finds the context's error and its cause.
//
// google.golang.org/grpc/status.FromError and status.Code take it as well.
type Error struct {
	// Code is the gRPC status code.
	Code codes.Code
	// Reason is the name of an ErrorReason without its prefix, such as "MAP_FULL";
	// empty where the daemon gave none.
	Reason string
	// Message is for people. It names the map and what to do next.
	Message string
	// Metadata is what a program can use: "map", "operation", "errno", "index",
	// "applied" and so on.
	Metadata map[string]string
	// Violations are the fields at fault.
	Violations []FieldViolation

	causes []error
}

// Error gives the message and the reason.
func (e *Error) Error() string {
	if e.Reason == "" {
		return "bpfmap: " + e.Message
	}
	return fmt.Sprintf("bpfmap: %s (%s)", e.Message, e.Reason)
}

// Is tells whether target is the Err variable of this error's reason.
func (e *Error) Is(target error) bool {
	other, ok := target.(*reasonError)
	return ok && other.name == e.Reason
}

// Unwrap gives what the error was made from: the error of the call's context and its
// cause, where that ended it.
func (e *Error) Unwrap() []error { return e.causes }

// GRPCStatus gives the status, for google.golang.org/grpc/status.
func (e *Error) GRPCStatus() *status.Status {
	s := status.New(e.Code, e.Message)
	if e.Reason == "" {
		return s
	}
	info := &errdetails.ErrorInfo{Reason: e.Reason, Domain: errorDomain, Metadata: e.Metadata}
	with, err := s.WithDetails(info)
	if err != nil {
		return s
	}
	return with
}

// ElementError is the error of one element of a batch.
type ElementError struct {
	// Index is the element's position in the batch, from 0.
	Index int
	// Err says why it was refused.
	Err *Error
}

// BatchError is what a batch fails with where single elements were refused. errors.Is
// and errors.As look at the error of each.
type BatchError struct {
	// Failures are the refused elements, by index. Without
	// BatchOptions.ContinueOnError there is only the first.
	Failures []ElementError
}

// Error gives the number of failures and the first of them.
func (e *BatchError) Error() string {
	first := e.Failures[0]
	if len(e.Failures) == 1 {
		return fmt.Sprintf("element %d: %v", first.Index, first.Err)
	}
	return fmt.Sprintf("%d elements were refused; element %d: %v", len(e.Failures), first.Index, first.Err)
}

// Unwrap gives the errors of the elements.
func (e *BatchError) Unwrap() []error {
	all := make([]error, len(e.Failures))
	for i, failure := range e.Failures {
		all[i] = failure.Err
	}
	return all
}

// errorOf turns what an RPC failed with into an *Error. ctx is the caller's.
func (c *Client) errorOf(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	var already *Error
	if errors.As(err, &already) {
		return err
	}
	s, _ := status.FromError(err)
	e := &Error{Code: s.Code(), Message: s.Message()}
	for _, detail := range s.Details() {
		e.take(detail)
	}
	if e.Reason == "" {
		c.describe(ctx, e)
	}
	return e
}

func (e *Error) take(detail any) {
	switch detail := detail.(type) {
	case *errdetails.ErrorInfo:
		if detail.GetDomain() == errorDomain {
			e.Reason = detail.GetReason()
			e.Metadata = maps.Clone(detail.GetMetadata())
		}
	case *errdetails.BadRequest:
		for _, v := range detail.GetFieldViolations() {
			e.Violations = append(e.Violations, FieldViolation{v.GetField(), v.GetDescription()})
		}
	}
}

// describe says more of an error that is not the daemon's: of the caller's context, or
// of the connection.
func (c *Client) describe(ctx context.Context, e *Error) {
	switch {
	case ctx.Err() != nil && (e.Code == codes.Canceled || e.Code == codes.DeadlineExceeded):
		*e = *contextError(ctx)
	case e.Code == codes.DeadlineExceeded:
		e.Message = "no answer within the time that the call had"
		e.causes = []error{context.DeadlineExceeded}
	case e.Code == codes.Canceled && c.closed.Load():
		e.Message = "the client is closed"
	case e.Code == codes.Unavailable:
		e.Message = fmt.Sprintf("no answer from bpfmapd at %s: %s", c.address, e.Message)
	}
}

// contextError is the error of a call whose context ended.
func contextError(ctx context.Context) *Error {
	err, cause := ctx.Err(), context.Cause(ctx)
	e := &Error{Code: codes.Canceled, Message: "the call's context was cancelled", causes: []error{err}}
	if errors.Is(err, context.DeadlineExceeded) {
		e.Code, e.Message = codes.DeadlineExceeded, "the call's context reached its deadline"
	}
	if cause != nil && cause != err {
		e.Message += ": " + cause.Error()
		e.causes = append(e.causes, cause)
	}
	return e
}

// errorOfElement is the error of an element in an answer, which has its reason only.
func errorOfElement(number bpfmapv1.ErrorReason, what, label string) *Error {
	e := &Error{
		Code:     codes.Unknown,
		Reason:   reasonName(number),
		Metadata: map[string]string{"map": label, "operation": what},
	}
	text := "the kernel refused the element"
	if known, ok := reasons[e.Reason]; ok {
		e.Code, text = known.code, known.text
	}
	e.Message = fmt.Sprintf("%s of %s: %s", what, label, text)
	return e
}

// invalid is an error of this package's own checks: nothing was sent.
func invalid(sentinel error, field, format string, args ...any) *Error {
	message := fmt.Sprintf(format, args...)
	e := &Error{Code: codes.InvalidArgument, Message: message}
	if r, ok := sentinel.(*reasonError); ok {
		e.Reason = r.name
	}
	if field != "" {
		e.Message = field + ": " + message
		e.Violations = []FieldViolation{{field, message}}
	}
	return e
}

// protocolError is the error of a daemon that does not keep to the contract.
func protocolError(format string, args ...any) *Error {
	return &Error{Code: codes.Internal, Message: "the daemon " + fmt.Sprintf(format, args...)}
}

// number gives a number of the error's metadata, or -1.
func (e *Error) number(name string) int {
	n, err := strconv.Atoi(e.Metadata[name])
	if err != nil {
		return -1
	}
	return n
}
