# What all previews of hello-service share: here a name, elsewhere a certificate or a DNS zone.

variable "domain" {
  type = string
}

resource "terraform_data" "zone" {
  input = var.domain
}

output "zone" {
  value = terraform_data.zone.output
}
