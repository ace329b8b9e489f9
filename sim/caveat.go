package sim

// An Exchange is a request that a task has made in some state, and what came of it.
type Exchange struct {
	Request Request
	Reply   Reply // the zero value if it was blocked
	Blocked bool  // it had to wait
}

// A Candid store says where what has happened to it says less about the servers that
// it stands for than it seems.
type Candid interface {
	Store

	// Caveats returns what a pass does not cover, each in one short line. exchanges are
	// all different ones of an exploration that went to the store, in no order; those
	// of the environment are among them. It is a function of them, of the options of
	// the store, and of whether time passes. Nothing that is so of every exploration is
	// a caveat.
	Caveats(exchanges []Exchange) []string
}
