package explore

import (
	"math/bits"
	"slices"
)

// A layout says where the numbers that make up a product state are packed in
// the words of its key.
type layout struct {
	words  int
	fields []field
}

// A field never straddles two words.
type field struct {
	word  int
	shift uint
	mask  uint64
}

func newLayout(widths []uint) layout {
	l := layout{words: 1}
	var used uint
	for _, w := range widths {
		if used+w > 64 {
			l.words++
			used = 0
		}
		l.fields = append(l.fields, field{l.words - 1, used, 1<<w - 1})
		used += w
	}
	return l
}

func (l *layout) unpack(key []uint64, into []uint32) {
	for i, f := range l.fields {
		into[i] = uint32(key[f.word] >> f.shift & f.mask)
	}
}

func (l *layout) pack(from []uint32, into []uint64) {
	clear(into)
	for i, f := range l.fields {
		into[f.word] |= uint64(from[i]) << f.shift
	}
}

// A stateSet numbers distinct keys in the order in which they are added. Keys
// are compared as a whole; the hash only says where to look.
type stateSet struct {
	words int
	n     int
	keys  []uint64 // words for each state
	index []uint64 // open addressing: a tag from the hash, and the number + 1; 0 is free
}

func newStateSet(words int) *stateSet {
	return &stateSet{words: words, index: make([]uint64, 1024)}
}

func (s *stateSet) key(id int) []uint64 { return s.keys[id*s.words : (id+1)*s.words] }

func hash(key []uint64) uint64 {
	var h uint64
	for _, w := range key {
		hi, lo := bits.Mul64(h^w^0x9e3779b97f4a7c15, 0xd6e8feb86659fd93)
		h = hi ^ lo
	}
	return h
}

// add returns the number of the key, and whether it is new.
func (s *stateSet) add(key []uint64) (id uint32, fresh bool) {
	h := hash(key)
	mask := uint64(len(s.index) - 1)
	tag := h >> 32
	for i := h & mask; ; i = (i + 1) & mask {
		e := s.index[i]
		if e == 0 {
			id = uint32(s.n)
			s.index[i] = tag<<32 | uint64(id+1)
			if len(s.keys)+len(key) > cap(s.keys) {
				s.keys = slices.Grow(s.keys, len(s.keys)+len(key)) // append alone would copy far more often
			}
			s.keys = append(s.keys, key...)
			s.n++
			if s.n*4 > len(s.index)*3 {
				s.grow()
			}
			return id, true
		}
		if e>>32 == tag {
			id = uint32(e) - 1
			if s.equal(int(id), key) {
				return id, false
			}
		}
	}
}

func (s *stateSet) equal(id int, key []uint64) bool {
	if s.words == 1 {
		return s.keys[id] == key[0]
	}
	for i, w := range s.key(id) {
		if w != key[i] {
			return false
		}
	}
	return true
}

func (s *stateSet) grow() {
	s.index = make([]uint64, 2*len(s.index))
	mask := uint64(len(s.index) - 1)
	for id := range s.n {
		h := hash(s.key(id))
		i := h & mask
		for s.index[i] != 0 {
			i = (i + 1) & mask
		}
		s.index[i] = h>>32<<32 | uint64(id+1)
	}
}

// bytes returns the memory that the set occupies.
func (s *stateSet) bytes() int64 { return 8 * int64(cap(s.keys)+cap(s.index)) }
