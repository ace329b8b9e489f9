package sqlite

import (
	"encoding/binary"
	"errors"

	"github.com/mattn/go-sqlite3"
)

// installRandom makes random and randomblob functions of a counter.
func (s *Store) installRandom(conn *sqlite3.SQLiteConn) error {
	if err := conn.RegisterFunc("random", func() int64 { return int64(s.draw()) }, false); err != nil {
		return err
	}
	blob := func(size any) ([]byte, error) {
		v, err := s.calc.eval("CAST(? AS INTEGER)", size)
		if err != nil {
			return nil, err
		}
		n, _ := v.(int64)
		if n > 1e9 {
			return nil, errors.New("string or blob too big")
		}
		n = max(n, 1)
		b := make([]byte, 0, n+8)
		for int64(len(b)) < n {
			b = binary.LittleEndian.AppendUint64(b, s.draw())
		}
		return b[:n], nil
	}
	return conn.RegisterFunc("randomblob", blob, false)
}

// draw returns the next number of SplitMix64 (Steele, Lea, Flood: Fast
// splittable pseudorandom number generators, figure 16).
func (s *Store) draw() uint64 {
	s.drawn++
	z := s.drawn * 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
