# Each other file here is one preview, named <owner>-<repository>-<number>-<id>.tf. dayfly writes,
# updates and removes them; an attribute added by hand stays until the pull request ends.

variable "service" {
  description = "The service as its previews see it, handed on to ../template as it is"
  type        = any
}
