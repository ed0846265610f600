# Code of a fork runs only after somebody has looked at it. A stack is a fork's if it is labelled so,
# as template/main.tf does where the environment's file says fork = true.
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
