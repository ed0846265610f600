# What the manager stack may hold: the vocabulary that Spacelift and dayfly share. And what may come
# with a commit by the identity that every service's CI writes with: environments, nothing else.
package spacelift

import rego.v1

vocabulary := {
	"spacelift_context",
	"spacelift_context_attachment",
	"spacelift_current_stack",
	"spacelift_drift_detection",
	"spacelift_environment_variable",
	"spacelift_mounted_file",
	"spacelift_policy",
	"spacelift_policy_attachment",
	"spacelift_scheduled_delete_stack",
	"spacelift_stack",
	"spacelift_stack_dependency",
	"spacelift_stack_dependency_reference",
	"spacelift_stack_destructor",
}

# The authors that CI commits with: the same as in push.rego.
plan_writers := {"dayfly", "dayfly[bot]", "github-actions[bot]"}

deny contains sprintf("%s: %s is none of the manager's resource types", [resource.address, resource.type]) if {
	some resource in input.terraform.resource_changes
	not resource.type in vocabulary
}

deny contains sprintf("%s: %s may change environments only", [resource.address, author]) if {
	author := input.spacelift.commit.author
	lower(author) in plan_writers
	some resource in input.terraform.resource_changes
	some action in resource.change.actions
	not action in {"no-op", "read"}
	not is_environments(resource)
}

# A resource of an environment's own module. Its policies are the service's.
is_environments(resource) if {
	resource.type != "spacelift_policy"
	regex.match(`^module\.[^.\[]+\.module\.environments\.module\.[^.\[]+($|[.\[])`, resource.module_address)
}
