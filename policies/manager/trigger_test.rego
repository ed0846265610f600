package spacelift

import rego.v1

manager := {"id": "previews"}

stacks := [manager, {"id": "hello-service-common"}, {"id": "hello-service-11111111"}, {"id": "hello-service-22222222"}]

one := "hello-service-11111111"

two := "hello-service-22222222"

triggered(changes) := triggered_by("FINISHED", changes)

triggered_by(state, changes) := ids if {
	ids := trigger with input as {
		"run": {"state": state, "changes": changes},
		"stack": manager,
		"stacks": stacks,
	}
}

a_change(phase, action, type, values) := {
	"phase": phase,
	"action": action,
	"moved": false,
	"entity": {"type": type, "entity_vendor": "terraform", "entity_type": "resource", "data": {"values": values}},
}

a_variable(action, stack) := a_change("apply", action, "spacelift_environment_variable", {
	"name": sanitized("TF_VAR_code_version"),
	"stack_id": sanitized(stack),
})

a_stack(action, id) := a_change("apply", action, "spacelift_stack", {"id": sanitized(id), "slug": sanitized(id)})

a_destructor(action, id) := a_change("apply", action, "spacelift_stack_destructor", {"stack_id": sanitized(id)})

test_sanitized_as_spacelift_does if sanitized("test") == "b0f00a08"

test_every_kind_of_new_value if {
	every action in ["added", "changed", "destroy-Before-create-replaced", "create-Before-destroy-replaced"] {
		triggered([a_variable(action, one)]) == {one}
	}
}

test_unchanged_variable if {
	every action in ["no-op", "read", "import", "forget", "deleted"] {
		triggered([a_variable(action, one)]) == set()
	}
}

test_new_and_changed_stack if {
	triggered([a_stack("added", one), a_stack("changed", two)]) == {one, two}
}

test_other_inputs if {
	every type in ["spacelift_mounted_file", "spacelift_context_attachment"] {
		triggered([a_change("apply", "added", type, {"stack_id": sanitized(one)})]) == {one}
	}
}

test_other_resources if {
	every type in ["spacelift_policy_attachment", "spacelift_stack_destructor", "spacelift_policy"] {
		triggered([a_change("apply", "added", type, {"stack_id": sanitized(one)})]) == set()
	}
}

test_plain_values_under_smart_sanitization if {
	triggered([
		a_change("apply", "added", "spacelift_environment_variable", {"stack_id": one}),
		a_change("apply", "added", "spacelift_stack", {"id": two, "slug": two}),
	]) == {one, two}
}

test_only_the_id_is_known if {
	triggered([a_change("apply", "added", "spacelift_stack", {"id": one})]) == {one}
	triggered([a_change("apply", "added", "spacelift_stack", {"id": null, "slug": one})]) == {one}
}

test_planned_but_not_applied if {
	planned := [
		a_change("plan", "added", "spacelift_stack", {"slug": sanitized(one)}),
		a_change("plan", "destroy-Before-create-replaced", "spacelift_environment_variable", {"stack_id": two}),
	]
	triggered(planned) == set()
	triggered(array.concat(planned, [a_stack("added", one)])) == {one}
}

test_failed_run_counts_what_was_applied if {
	triggered_by("FAILED", [
		a_variable("added", one),
		a_change("plan", "added", "spacelift_stack", {"slug": two}),
	]) == {one}
}

test_stack_that_is_destroyed if {
	triggered([a_stack("deleted", one), a_variable("changed", one), a_variable("changed", two)]) == {two}
	triggered([a_destructor("deleted", one), a_variable("changed", one)]) == set()
	triggered([a_destructor("deleted", one), a_stack("changed", one)]) == set()
	triggered([a_stack("deleted", one), a_variable("deleted", one), a_destructor("deleted", one)]) == set()
}

test_stack_whose_destruction_is_only_planned if {
	triggered([a_change("plan", "deleted", "spacelift_stack", {"id": one}), a_variable("changed", one)]) == set()
}

test_manager_never_triggers_itself if {
	triggered([a_stack("changed", "previews"), a_variable("changed", "previews")]) == set()
}

test_unknown_stack if triggered([a_variable("changed", "hello-service-33333333")]) == set()

test_nothing_changed if triggered([]) == set()
