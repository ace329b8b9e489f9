package redis

import (
	"fmt"
	"math"
	"sort"
	"strconv"
	"time"

	"quiesce/sim"

	"github.com/alicebob/miniredis/v2"
)

// Content returns one item for each key, in the order of their names. The value
// of a string is the string itself; that of another type is written with every
// string in quotes, so that different values never look the same. The consumer
// groups of a stream follow its entries, as in
//
//	[1-0["f" "v"] 2-0["f" "w"]] "relay" 1-0[1-0:"relay-1":2]
//
// where 1-0 was delivered last, twice to relay-1, and is not acknowledged. The note
// holds the type, if it is not string, and the remaining TTL.
//
// Then comes one item for each connection with a state, with the note "watch" or
// "subscription". Its value is the keys that it watches, or "touched" if EXEC
// will fail; or the channels, and what is yet to be received. With the note
// "connection" it is one that has broken.
func (s *Store) Content() (sim.Content, error) {
	db := s.redis.DB(0)
	keys := db.Keys() // sorted
	content := make(sim.Content, 0, len(keys))
	for _, key := range keys {
		it, err := item(db, key)
		if err == nil && db.Type(key) == "stream" {
			err = s.addGroups(&it)
		}
		if err != nil {
			return nil, err
		}
		if s.timed && it.TTL > 0 {
			it.TTL = max(it.TTL.Truncate(time.Millisecond), moment) // however many ticks have made it so
		}
		content = append(content, it)
	}
	return s.appendConnections(content), nil
}

// addGroups adds the consumer groups to the item of a stream.
func (s *Store) addGroups(it *sim.Item) error {
	groups, err := s.groups(it.Name)
	if err == nil && groups == "" && it.Value == "[]" {
		err = fmt.Errorf("key %q: miniredis keeps an empty stream, where Redis makes none", it.Name)
	}
	it.Value += groups
	return err
}

// item returns the item of a key that exists, for a stream without its consumer
// groups: what happens to them does not touch a watched key.
func item(db *miniredis.RedisDB, key string) (sim.Item, error) {
	it := sim.Item{Name: key}
	kind := db.Type(key)
	var err error
	if kind == "string" {
		it.Value, err = db.Get(key)
	} else {
		it.Note = kind
		it.Value, err = value(db, key, kind)
		if err == nil && (it.Value == "{}" || it.Value == "[]") && kind != "stream" {
			err = fmt.Errorf("miniredis keeps an empty %s, where Redis deletes the key", kind)
		}
	}
	if err != nil {
		return it, fmt.Errorf("key %q: %w", key, err)
	}
	// No key has a TTL of zero: options that could make one are refused.
	if ttl := db.TTL(key); ttl != 0 {
		if it.Note != "" {
			it.Note += ", "
		}
		it.Note += "ttl " + ttl.Truncate(time.Millisecond).String() // without the moments of ticks
		it.TTL = ttl
	}
	return it, nil
}

// value returns the value of a key that is not a string.
func value(db *miniredis.RedisDB, key, kind string) (string, error) {
	var b []byte
	switch kind {
	case "hash":
		fields, err := db.HKeys(key)
		if err != nil {
			return "", err
		}
		sort.Strings(fields)
		for i, f := range fields {
			b = appendQuoted(b, i, f)
			b = append(b, ':')
			b = strconv.AppendQuote(b, db.HGet(key, f))
		}
		return "{" + string(b) + "}", nil
	case "list":
		elems, err := db.List(key)
		for i, e := range elems {
			b = appendQuoted(b, i, e)
		}
		return "[" + string(b) + "]", err
	case "set":
		members, err := db.Members(key)
		sort.Strings(members)
		for i, m := range members {
			b = appendQuoted(b, i, m)
		}
		return "{" + string(b) + "}", err
	case "zset":
		scores, err := db.SortedSet(key)
		if err != nil {
			return "", err
		}
		members := make([]string, 0, len(scores))
		for m := range scores {
			members = append(members, m)
		}
		sort.Slice(members, func(i, j int) bool {
			a, b := members[i], members[j]
			return scores[a] < scores[b] || scores[a] == scores[b] && a < b
		})
		for i, m := range members {
			if math.IsNaN(scores[m]) {
				return "", fmt.Errorf("member %q has no score", m)
			}
			b = appendQuoted(b, i, m)
			b = append(b, ':')
			b = strconv.AppendFloat(b, scores[m], 'g', -1, 64)
		}
		return "{" + string(b) + "}", nil
	case "stream":
		// The ID of the last entry is the last that was generated: what could
		// change that is refused.
		entries, err := db.Stream(key)
		for i, e := range entries {
			if i > 0 {
				b = append(b, ' ')
			}
			b = append(b, e.ID...)
			b = append(b, '[')
			for j, v := range e.Values {
				b = appendQuoted(b, j, v)
			}
			b = append(b, ']')
		}
		return "[" + string(b) + "]", err
	}
	return "", fmt.Errorf("the state of a %s cannot be read", kind)
}

func appendQuoted(b []byte, i int, s string) []byte {
	if i > 0 {
		b = append(b, ' ')
	}
	return strconv.AppendQuote(b, s)
}
