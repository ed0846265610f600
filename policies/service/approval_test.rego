package spacelift

import rego.v1

asked(labels, approvals, rejections) := {
	"stack": {"labels": labels},
	"run": {"commit": {"author": "stranger"}},
	"reviews": {"current": {
		"approvals": [{"author": author} | some author in approvals],
		"rejections": [{"author": author} | some author in rejections],
	}},
}

approved(event) if {
	approve with input as event
	not reject with input as event
}

test_no_fork_waits_for_nobody if approved(asked(["preview"], [], []))

test_fork_waits if not approved(asked(["preview", "fork"], [], []))

test_fork_is_approved if approved(asked(["fork"], ["ann"], []))

test_author_approves_nothing if not approved(asked(["fork"], ["stranger"], []))

test_another_approves_beside_the_author if approved(asked(["fork"], ["stranger", "ann"], []))

test_one_rejection_counts if {
	event := asked(["fork"], ["ann"], ["bob"])
	reject with input as event
	not approve with input as event
}

test_anybody_rejects if {
	reject with input as asked(["preview"], [], ["bob"])
}
