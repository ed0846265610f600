# Which stacks run when the manager stack has run: those that are new or changed themselves, and
# those with a new or changed input. Evaluated in any final state of the run: after a failed one,
# only what was really applied counts.
package spacelift

import rego.v1

trigger contains id if {
	some id in ((named(stacks_to_run) - named(stacks_to_destroy)) - {input.stack.id})
}

stack_ids := {stack.id | stack := input.stacks[_]}

# The stacks that go by these names. Values arrive sanitised, or plain under smart sanitisation. Looking
# a stack up in a set keeps the cost at stacks plus changes.
named(names) := (names & stack_ids) | {id |
	count(names) > 0
	id := stack_ids[_]
	sanitized(id) in names
}

# Resources by the attributes that name their stack.
stack_attributes := {
	"spacelift_stack": ["id", "slug"],
	"spacelift_environment_variable": ["stack_id"],
	"spacelift_mounted_file": ["stack_id"],
	"spacelift_context_attachment": ["stack_id"],
}

# A new value of a variable arrives as a replacement: the provider never changes one in place.
new_or_changed := {
	"added",
	"changed",
	"destroy-Before-create-replaced",
	"create-Before-destroy-replaced",
}

# The phase tells what happened from what was only planned.
stacks_to_run contains stack if {
	attributes := stack_attributes
	actions := new_or_changed
	change := input.run.changes[_]
	change.phase == "apply"
	change.action in actions
	stack := change.entity.data.values[attributes[change.entity.type][_]]
}

# What a stack ends with, by the attributes that name it.
end_attributes := {
	"spacelift_stack": ["id", "slug"],
	"spacelift_stack_destructor": ["stack_id"],
}

# The environment of such a stack goes: a run would bring it back. Here a plan is enough.
stacks_to_destroy contains stack if {
	attributes := end_attributes
	change := input.run.changes[_]
	change.action == "deleted"
	stack := change.entity.data.values[attributes[change.entity.type][_]]
}
