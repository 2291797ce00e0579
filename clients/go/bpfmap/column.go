package bpfmap

import bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"

// column is keys or values as a message has them, in one of the contract's forms.
type column struct {
	// bytes are those of the map, back to back.
	bytes []byte
	// texts are JSON.
	texts []string
	// objects are kernel objects.
	objectKeys   []*bpfmapv1.ObjectKey
	objectValues []*bpfmapv1.ObjectValue
}

// keysOf gives the keys of a message.
func keysOf(elements *bpfmapv1.Elements) *column {
	return &column{
		bytes: elements.GetKeys(), texts: elements.GetJsonKeys(), objectKeys: elements.GetObjectKeys(),
	}
}

// valuesOf gives the values of a message.
func valuesOf(elements *bpfmapv1.Elements) *column {
	return &column{
		bytes: elements.GetValues(), texts: elements.GetJsonValues(), objectValues: elements.GetObjectValues(),
	}
}

// elementsOf makes a message of keys and values.
func elementsOf(count int, keys, values *column) *bpfmapv1.Elements {
	return &bpfmapv1.Elements{
		Count: uint32(count),
		Keys:  keys.bytes, JsonKeys: keys.texts, ObjectKeys: keys.objectKeys,
		Values: values.bytes, JsonValues: values.texts, ObjectValues: values.objectValues,
	}
}

// append adds the items of another column of the same form.
func (c *column) append(other *column) {
	c.bytes = append(c.bytes, other.bytes...)
	c.texts = append(c.texts, other.texts...)
	c.objectKeys = append(c.objectKeys, other.objectKeys...)
	c.objectValues = append(c.objectValues, other.objectValues...)
}

// weight is about how many bytes the column adds to a message.
func (c *column) weight() int {
	weight := len(c.bytes) + objectWeight*(len(c.objectKeys)+len(c.objectValues))
	for _, text := range c.texts {
		weight += len(text)
	}
	return weight
}

// reset empties the column and keeps its memory.
func (c *column) reset() {
	c.bytes, c.texts = c.bytes[:0], c.texts[:0]
	c.objectKeys, c.objectValues = c.objectKeys[:0], c.objectValues[:0]
}

// columns gathers elements for a message.
type columns[K, V any] struct {
	key        *codec[K]
	value      *codec[V]
	count      int
	keys, vals column
	// weight is about the size of the message.
	weight int
}

func newColumns[K, V any](key *codec[K], value *codec[V]) *columns[K, V] {
	return &columns[K, V]{key: key, value: value}
}

func (c *columns[K, V]) add(k K, v V) error {
	key, err := c.key.add(&c.keys, k)
	if err != nil {
		return atIndex(err, c.count)
	}
	value, err := c.value.add(&c.vals, v)
	if err != nil {
		return atIndex(err, c.count)
	}
	c.weight += key + value
	c.count++
	return nil
}

func (c *columns[K, V]) proto() *bpfmapv1.Elements { return elementsOf(c.count, &c.keys, &c.vals) }

// reset starts new columns; the memory is used again, so the message must be gone.
func (c *columns[K, V]) reset() {
	c.count, c.weight = 0, 0
	c.keys.reset()
	c.vals.reset()
}

// grown gives the slice with more bytes behind it.
func grown(column []byte, more int) []byte {
	need := len(column) + more
	if need <= cap(column) {
		return column[:need]
	}
	bigger := make([]byte, need, max(2*cap(column), need, 4096))
	copy(bigger, column)
	return bigger
}
