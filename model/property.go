package model

import (
	"fmt"

	"quiesce/sim"
)

// A Property is asked of a workload.
type Property struct {
	Name    string // as given to -property
	Summary string

	of func(Workload) sim.Property
}

// Properties returns all properties in the order of their names.
func Properties() []Property {
	return []Property{{
		Name:    "coherent",
		Summary: "at quiescence the cache holds nothing for the key or exactly the row of the database",
		of:      coherent,
	}}
}

// LookupProperty returns the property called name, or an error that says which
// are allowed.
func LookupProperty(name string) (Property, error) {
	return lookup("property", name, Properties(), func(p Property) string { return p.Name })
}

func coherent(w Workload) sim.Property {
	return sim.Property{Name: "coherent", Violation: func(v sim.View) string {
		for id := int64(1); id <= int64(w.Keys); id++ {
			cached, ok := v.Contents[cacheStore].Lookup(productKey(id))
			if !ok {
				continue
			}
			row, ok := v.Contents[dbStore].Lookup(fmt.Sprintf("products/%d", id))
			if !ok {
				return fmt.Sprintf("%s: the cache holds %s, the database has no such row", productKey(id), cached)
			}
			c, err := decode(cached)
			if err != nil {
				return fmt.Sprintf("%s: the cache holds %s, which is no product", productKey(id), cached)
			}
			if r, err := decode(row); err != nil {
				panic(err) // the row is of our own table
			} else if c != r {
				return fmt.Sprintf("%s: the cache holds %s, the database %s", productKey(id), encode(c), encode(r))
			}
		}
		return ""
	}}
}
