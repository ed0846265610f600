# Which pushes run a stack: those to its own branch that touch its project root or one of its globs.
# Everything else is ignored, events of pull requests too: the push itself has been seen.
package spacelift

import rego.v1

track if {
	is_branch_push
	input.push.branch == input.stack.branch
	some file in input.push.affected_files
	belongs_to_stack(file)
}

ignore if not track

# What waits on this branch, or for a person, gives way to the newer commit.
cancel contains run.id if {
	track
	some run in object.get(input, "in_progress", [])
	run.type == "TRACKED"
	run.state in {"QUEUED", "READY", "UNCONFIRMED"}
	run.branch == input.push.branch
	run.commit.hash != input.push.hash
}

# A plain push: neither an event of a pull request nor a tag.
is_branch_push if {
	object.get(input, "pull_request", null) == null
	object.get(input.push, "tag", "") in {null, ""}
}

belongs_to_stack(_) if project_root == ""

belongs_to_stack(file) if file == project_root

belongs_to_stack(file) if startswith(file, concat("", [project_root, "/"]))

belongs_to_stack(file) if {
	some pattern in input.stack.additional_project_globs
	glob.match(pattern, ["/"], file)
}

# The root of the repository is null or empty.
default project_root := ""

project_root := trim(input.stack.project_root, "/") if is_string(input.stack.project_root)
