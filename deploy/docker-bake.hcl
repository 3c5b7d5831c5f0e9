# Every image: docker buildx bake -f deploy/docker-bake.hcl            (from the repository's root)
#              REVISION=$(git rev-parse HEAD) IMAGE_TAG=0.1.0 docker buildx bake -f deploy/docker-bake.hcl all
variable "IMAGE_PREFIX" { default = "facestream" }
variable "IMAGE_TAG" { default = "local" }
variable "BASE_IMAGE" { default = "python:3.11-slim-bookworm" }
variable "MODELS" { default = "buffalo_s" }
variable "PIP_INDEX_URL" { default = "" }
variable "PIP_EXTRA_INDEX_URL" { default = "" }
variable "PIP_TRUSTED_HOST" { default = "" }
variable "VERSION" { default = "0.1.0" }
variable "REVISION" { default = "unknown" }
variable "CREATED" { default = "unknown" }

group "default" {
  targets = ["producer", "worker", "identifier", "viewer"]
}

group "all" {
  targets = ["default", "autoscaler", "demo", "worker-gpu"]
}

target "base" {
  context = "."
  args = {
    BASE_IMAGE          = BASE_IMAGE
    PIP_INDEX_URL       = PIP_INDEX_URL
    PIP_EXTRA_INDEX_URL = PIP_EXTRA_INDEX_URL
    PIP_TRUSTED_HOST    = PIP_TRUSTED_HOST
    VERSION             = VERSION
    REVISION            = REVISION
    CREATED             = CREATED
  }
}

target "producer" {
  inherits   = ["base"]
  dockerfile = "deploy/docker/producer.Dockerfile"
  target     = "producer"
  tags       = ["${IMAGE_PREFIX}/producer:${IMAGE_TAG}"]
}

target "demo" {
  inherits = ["producer"]
  target   = "demo"
  tags     = ["${IMAGE_PREFIX}/demo:${IMAGE_TAG}"]
}

target "worker" {
  inherits   = ["base"]
  dockerfile = "deploy/docker/worker.Dockerfile"
  args       = { MODELS = MODELS }
  tags       = ["${IMAGE_PREFIX}/worker:${IMAGE_TAG}"]
}

target "worker-gpu" {
  inherits   = ["worker"]
  dockerfile = "deploy/docker/worker-gpu.Dockerfile"
  tags       = ["${IMAGE_PREFIX}/worker-gpu:${IMAGE_TAG}"]
}

target "identifier" {
  inherits   = ["base"]
  dockerfile = "deploy/docker/identifier.Dockerfile"
  tags       = ["${IMAGE_PREFIX}/identifier:${IMAGE_TAG}"]
}

target "viewer" {
  inherits   = ["base"]
  dockerfile = "deploy/docker/viewer.Dockerfile"
  tags       = ["${IMAGE_PREFIX}/viewer:${IMAGE_TAG}"]
}

target "autoscaler" {
  inherits   = ["base"]
  dockerfile = "deploy/docker/autoscaler.Dockerfile"
  tags       = ["${IMAGE_PREFIX}/autoscaler:${IMAGE_TAG}"]
}
