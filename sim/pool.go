package sim

// A Pooled is what the client of a store is made of. To make it costs more than a whole
// execution should, so one process after the other uses it.
type Pooled interface {
	// Release is called when a process that used it has ended: see Host.AtEnd for
	// clean. It says whether the next process could not tell it from a new one.
	Release(clean bool) (reusable bool)

	// Close frees it.
	Close() error
}

// A Pool keeps what was used by processes that have ended for later ones. Each
// [Isolation] has its own, which is closed at its end. The zero value is empty.
type Pool[C Pooled] struct {
	free     []C
	isolated map[*Isolation]*[]C // free in an isolation
	closed   bool
}

// Take returns one that is free, or else a new one, for the process of a client. It
// comes back when that has ended.
func (p *Pool[C]) Take(h Host, newOne func() C) C {
	var c C
	free := p.of(h.Isolation())
	if n := len(*free); n > 0 {
		c, *free = (*free)[n-1], (*free)[:n-1]
	} else {
		c = newOne()
	}
	h.AtEnd(func(clean bool) {
		switch i := h.Isolation(); {
		case c.Release(clean) && !p.closed:
			*free = append(*free, c)
		case i != nil:
			i.AtEnd(func() { _ = c.Close() })
		default:
			_ = c.Close()
		}
	})
	return c
}

// of returns those that are free in an isolation; nil is outside of all.
func (p *Pool[C]) of(i *Isolation) *[]C {
	if i == nil {
		return &p.free
	}
	if p.isolated[i] == nil {
		free := new([]C)
		p.isolated = map[*Isolation]*[]C{i: free}
		i.AtEnd(func() {
			delete(p.isolated, i)
			for _, c := range *free {
				_ = c.Close()
			}
		})
	}
	return p.isolated[i]
}

// Free returns how many are free, outside of isolations.
func (p *Pool[C]) Free() int { return len(p.free) }

// Close closes those that are free, and lets every other one be closed when its process
// has ended.
func (p *Pool[C]) Close() {
	p.closed = true
	for _, c := range p.free {
		_ = c.Close()
	}
	p.free = nil
}
