package bpfmap

import (
	"encoding/binary"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"pgregory.net/rapid"

	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

type everyKind struct {
	A int8
	B bool
	_ [2]byte
	C uint32
	D float64
	E [3]uint16
	F [2]byte
	G struct {
		H int64
		_ [8]byte
	}
}

func shapeOf(size, cpus int, order binary.ByteOrder) shape {
	return shape{what: "value", size: size, cpus: cpus, order: order, label: "map 1"}
}

// oneOf gives the bytes of a value.
func oneOf[T any](c *codec[T], value T) ([]byte, error) {
	encoded, err := c.one(value)
	return encoded.bytes, err
}

// The oracle is encoding/binary, which knows nothing of memory.
func TestEncodesAsEncodingBinaryDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		order := binary.ByteOrder(binary.LittleEndian)
		if rapid.Bool().Draw(t, "big endian") {
			order = binary.BigEndian
		}
		value := everyKind{
			A: rapid.Int8().Draw(t, "A"), B: rapid.Bool().Draw(t, "B"), C: rapid.Uint32().Draw(t, "C"),
			D: rapid.Float64().Draw(t, "D"), E: [3]uint16{rapid.Uint16().Draw(t, "E"), 2, 3}, F: [2]byte{1, 2},
		}
		value.G.H = rapid.Int64().Draw(t, "H")
		want, err := binary.Append(nil, order, value)
		if err != nil {
			t.Fatal(err)
		}
		c, err := newCodec[everyKind](shapeOf(len(want), 0, order))
		if err != nil {
			t.Fatal(err)
		}
		got, err := oneOf(c, value)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("encoded as %x, want %x (%v)", got, want, err)
		}
		back, err := c.get(got)
		if err != nil || back != value {
			t.Fatalf("decoded as %v, want %v (%v)", back, value, err)
		}
	})
}

func TestSlotsArePaddedToEightBytes(t *testing.T) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		c, err := newCodec[[]uint16](shapeOf(2, 3, order))
		if err != nil {
			t.Fatal(err)
		}
		bytes, err := oneOf(c, []uint16{1, 2, 3})
		if err != nil || len(bytes) != 24 || order.Uint16(bytes[16:]) != 3 || bytes[2] != 0 {
			t.Fatalf("encoded as %x (%v)", bytes, err)
		}
		again := slices.Clone(bytes)
		back, err := c.get(bytes)
		if err != nil || !slices.Equal(back, []uint16{1, 2, 3}) || !slices.Equal(bytes, again) {
			t.Fatalf("decoded as %v (%v)", back, err)
		}
	}
}

func TestRefusesBytesThatAreNoBool(t *testing.T) {
	c, err := newCodec[[2]bool](shapeOf(2, 0, binary.LittleEndian))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.get([]byte{1, 2}); err == nil {
		t.Error("2 was taken for a bool")
	}
}

func TestWritesBlankFieldsAsZero(t *testing.T) {
	type padded struct {
		A uint16
		_ [6]byte
	}
	c, err := newCodec[padded](shapeOf(8, 0, binary.LittleEndian))
	if err != nil {
		t.Fatal(err)
	}
	value, err := c.get([]byte{1, 0, 9, 9, 9, 9, 9, 9})
	if err != nil {
		t.Fatal(err)
	}
	bytes, err := oneOf(c, value)
	if err != nil || !slices.Equal(bytes, []byte{1, 0, 0, 0, 0, 0, 0, 0}) {
		t.Errorf("wrote %x (%v)", bytes, err)
	}
}

func TestSaysWhyATypeCannotStandForBytes(t *testing.T) {
	for _, c := range []struct {
		of   any
		want string
	}{
		{struct{ A *int }{}, "no type of a fixed size"},
		{struct{ A string }{}, "no type of a fixed size"},
		{struct{ A map[int]int }{}, "no type of a fixed size"},
		{struct{ A uint }{}, "has no fixed size"},
		{[2]uintptr{}, "has no fixed size"},
		{struct {
			A uint8
			B uint32
		}{}, "3 bytes of padding after A"},
		{struct {
			A uint64
			B uint8
		}{}, "7 bytes of padding after B"},
		{[2]struct {
			A uint32
			B [3]byte
		}{}, "1 bytes of padding after B"},
	} {
		_, err := layoutOf(reflect.TypeOf(c.of))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%T: got %v, want %q", c.of, err, c.want)
		}
	}
}

func TestThereIsAnErrorForEachReasonWithTheStatusThatTheContractSays(t *testing.T) {
	contract, err := os.ReadFile("../../../proto/bpfmap/v1/error.proto")
	if err != nil {
		t.Fatal(err)
	}
	statuses := map[string]string{}
	row := regexp.MustCompile(`// ([A-Z_]+): [^=]*?ERROR_REASON_([A-Z_]+) = `)
	for _, match := range row.FindAllStringSubmatch(string(contract), -1) {
		statuses[match[2]] = match[1]
	}
	for number, name := range bpfmapv1.ErrorReason_name {
		if number == 0 {
			continue
		}
		short := strings.TrimPrefix(name, reasonPrefix)
		known, ok := reasons[short]
		if !ok {
			t.Errorf("no error for %s", name)
			continue
		}
		var code codes.Code
		if err := code.UnmarshalJSON([]byte(`"` + statuses[short] + `"`)); err != nil {
			t.Errorf("the contract gives no status of %s: %v", name, err)
		}
		if known.code != code {
			t.Errorf("%s has the status %v, the contract says %v", name, known.code, code)
		}
		if !strings.HasPrefix(known.Error(), "bpfmap: ") {
			t.Errorf("%s reads %q", name, known)
		}
	}
}

func TestThereIsAConstantForEachMapType(t *testing.T) {
	source, err := os.ReadFile("maptype.go")
	if err != nil {
		t.Fatal(err)
	}
	for number, name := range bpfmapv1.MapType_name {
		if number != 0 && !regexp.MustCompile(`= bpfmapv1.MapType_`+name+`\b`).Match(source) {
			t.Errorf("no constant for %s", name)
		}
	}
}
