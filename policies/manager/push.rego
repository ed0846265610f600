# Which pushes run the manager stack: those to its branch. The token that writes environment files is
# in the hands of every service's CI, so a commit by its identity may touch nothing else.
package spacelift

import rego.v1

# The authors that CI commits with: add your GitHub App's.
push_writers := {"dayfly", "dayfly[bot]", "github-actions[bot]"}

track if {
	is_branch_push
	input.push.branch == input.stack.branch
	count(trespasses) == 0
}

ignore if not track

# Of an ignored push Spacelift tells the commit so.
fail if {
	is_branch_push
	count(trespasses) > 0
}

notify if fail

message contains sprintf("%s is no environment file, and %s may write nothing else", [file, input.push.author]) if {
	some file in trespasses
}

trespasses contains file if {
	lower(input.push.author) in push_writers
	some file in input.push.affected_files
	not is_environment_file(file)
}

is_environment_file(file) if {
	regex.match(`^[a-z][a-z0-9-]*/environments/[^/]+\.tf$`, file)
	not endswith(file, "/variables.tf")
}

# A plain push: neither an event of a pull request nor a tag.
is_branch_push if {
	object.get(input, "pull_request", null) == null
	object.get(input.push, "tag", "") in {null, ""}
}
