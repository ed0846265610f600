# Which stacks run when the manager stack has run: those that are new or changed themselves, and
# those with a new or changed input. Evaluated in any final state of the run: after a failed one,
# only what was really applied counts.
package spacelift

import rego.v1

trigger contains stack.id if {
	some stack in input.stacks

	# Values arrive sanitised, or plain under smart sanitisation. Looking a stack up in a set keeps the
	# cost at stacks plus changes.
	some name in [stack.id, sanitized(stack.id)]
	name in stacks_to_run
	not stack.id in stacks_to_destroy
	not sanitized(stack.id) in stacks_to_destroy
	stack.id != input.stack.id
}

# Resources by the attributes that name their stack.
stack_attributes := {
	"spacelift_stack": ["id", "slug"],
	"spacelift_environment_variable": ["stack_id"],
	"spacelift_mounted_file": ["stack_id"],
	"spacelift_context_attachment": ["stack_id"],
}

# The phase tells what happened from what was only planned.
stacks_to_run contains stack if {
	some change in input.run.changes
	change.phase == "apply"
	change.action in new_or_changed
	some attribute in stack_attributes[change.entity.type]
	stack := change.entity.data.values[attribute]
	is_string(stack)
}

# The environment of such a stack goes: a run would bring it back. Here a plan is enough.
stacks_to_destroy contains stack if {
	some change in input.run.changes
	change.action == "deleted"
	change.entity.type == "spacelift_stack"
	some attribute in ["id", "slug"]
	stack := change.entity.data.values[attribute]
	is_string(stack)
}

stacks_to_destroy contains stack if {
	some change in input.run.changes
	change.action == "deleted"
	change.entity.type == "spacelift_stack_destructor"
	stack := change.entity.data.values.stack_id
	is_string(stack)
}

new_or_changed contains action if some action in ["added", "changed"]

# A new value of a variable arrives as a replacement: the provider never changes one in place.
new_or_changed contains action if {
	some action in {change.action | some change in input.run.changes}
	endswith(action, "replaced")
}
