# Code of a fork runs only after somebody has looked at it. A stack is a fork's if it is labelled so:
# set the label in the template, or by hand in the environment's file.
package spacelift

import rego.v1

approve if not is_forks

approve if {
	is_forks
	some review in input.reviews.current.approvals
	review.author != input.run.commit.author
	not reject
}

reject if count(input.reviews.current.rejections) > 0

is_forks if "fork" in input.stack.labels
