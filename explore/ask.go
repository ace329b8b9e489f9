package explore

import "quiesce/sim"

// What is asked about views is written by the user and may panic. That is an error of
// the run: asking says what was asked, and rescue returns it where the run began.

// asking returns f so that a panic of it is one with a [*sim.PropertyError].
func asking[T any](sys *sim.System, of string, f func(sim.View) T) func(sim.View) T {
	return func(v sim.View) T {
		defer sys.Blame(of, v)
		return f(v)
	}
}

// violation asks the property of the system.
func violation(sys *sim.System, v sim.View) string {
	defer sys.Blame(sys.Property.Name, v)
	return sys.Property.Violation(v)
}

// rescue is deferred by whoever returns an error of what was asked.
func rescue(err *error) {
	switch v := recover().(type) {
	case nil:
	case *sim.PropertyError:
		*err = v
	default:
		panic(v)
	}
}
