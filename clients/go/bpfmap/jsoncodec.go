package bpfmap

import (
	"encoding/json"
	"reflect"
)

// jsonCodec is that of values as JSON texts, which the daemon makes of bytes and bytes of
// them, by the map's types.
func jsonCodec[T any](s shape) *codec[T] {
	unquote := isInteger(reflect.TypeFor[T]())
	return &codec[T]{
		// The text of a byte has up to four characters; names of members come on top.
		wire: wire{form: inJSON, weight: 64 + 8*s.stride()},
		write: func(to *column, value T) (int, error) {
			text, err := json.Marshal(value)
			if err != nil {
				return 0, invalid(ErrJSONInvalid, s.what, "%v", err)
			}
			to.texts = append(to.texts, string(text))
			return len(text), nil
		},
		read: func(from *column, index int) (value T, err error) {
			text := from.texts[index]
			// Numbers of 64 bits are strings, which Go's integers are not read from.
			if last := len(text) - 1; unquote && last > 1 && text[0] == '"' {
				text = text[1:last]
			}
			if err := json.Unmarshal([]byte(text), &value); err != nil {
				return value, invalid(ErrJSONInvalid, s.what, "of %s is %s: %v", s.label, from.texts[index], err)
			}
			return value, nil
		},
	}
}

func isInteger(t reflect.Type) bool {
	return t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64 && t.Name() == t.Kind().String()
}
