package sim

// A Property is what has to hold.
type Property struct {
	Name string

	// Always says that the property has to hold in every state. The zero value
	// means at quiescence only.
	Always bool

	// Labelled says that Violation tells interchangeable processes apart.
	Labelled bool

	// Monitor, if not nil, is a machine that watches the steps and whose state is
	// seen in the view: for a property of histories. It tells processes apart.
	Monitor *Monitor

	// Premise, if not nil, says whether the property has anything to judge in a view
	// at quiescence. Where it never has, that it holds means nothing: the verdict is
	// vacuous. Like Violation it is a function of the view. nil means that it has, if
	// some state holds what it looks up by [View.Value] and [View.Items].
	Premise func(View) bool

	// Violation returns the line that shows how the property is violated, and
	// "" if it holds. It is a function of the view alone. A replay asks it in every
	// state, to say since when the violation stands.
	Violation func(View) string
}

// A Monitor is a deterministic machine whose inputs are the steps of an execution.
// Its state is a part of the state of the system, so it should be small: the whole
// history would keep all interleavings apart. Where time passes and nothing else
// happens it must come to rest: it counts up to what the property asks for.
type Monitor struct {
	Start string
	After func(state string, e Event) string
}

// An Event is a step as a [Monitor] sees it.
type Event struct {
	Step
	Name     string // of the task; "" for the environment
	Finished bool   // its task has finished by it
	View     View   // after it, without the state of the monitor
}

// A View is what a property sees of a state.
type View struct {
	Contents []Content // of each store, in the order of System.Stores
	Results  []string  // of each task that has finished, in the order of System.Tasks
	Memories []Content // of each process, as it shows it, in the order of System.Programs
	Pending  []Request // of each task: what it has asked for and has not got yet; or the zero value
	Monitor  string    // its state, if the property has one

	lookups *Lookups // nil if it was made by hand
}
