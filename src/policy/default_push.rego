package spacelift

import rego.v1

# A push counts when it touches the stack's project root or one of its globs.

track if {
	pushed
	input.push.branch == input.stack.branch
}

propose if pushed

propose if proposed

ignore if {
	not pushed
	not proposed
}

ignore if input.push.tag != ""

pushed if {
	some file in input.push.affected_files
	concerns_stack(file)
}

proposed if {
	some file in input.pull_request.diff
	concerns_stack(file)
}

concerns_stack(file) if startswith(trim(file, "/"), trim(input.stack.project_root, "/"))

concerns_stack(file) if {
	some pattern in input.stack.additional_project_globs
	glob.match(pattern, ["/"], trim(file, "/"))
}
