# A Coder template: each workspace is a pod without privilege, with systemd and its own dockerd.
#
# The pod is a kubernetes_manifest, since the provider's typed pods know neither hostUsers nor
# procMount. The agent's script comes in a Secret that only this pod mounts; berth runs it inside, as
# the user, once the workspace is ready, and again when it ends.
terraform {
  required_providers {
    coder      = { source = "coder/coder", version = ">= 2.4.0" }
    kubernetes = { source = "hashicorp/kubernetes", version = ">= 2.30.0" }
  }
}

variable "namespace" {
  type        = string
  description = "where the pods and their volumes are made; it has to be there"
}

variable "image" {
  type        = string
  description = "the base image of workspaces, with berth in it"
  default     = "registry.example/workspace:1"
}

variable "tier_b" {
  type        = bool
  description = "the nodes have runc as shipped: dockerd under berth's own init, no systemd"
  default     = false
}

data "coder_workspace" "me" {}
data "coder_workspace_owner" "me" {}
data "coder_provisioner" "me" {}

data "coder_parameter" "cpu" {
  name         = "cpu"
  display_name = "Processors"
  type         = "number"
  default      = 4
  mutable      = true
  validation {
    min = 1
    max = 32
  }
}

data "coder_parameter" "memory" {
  name         = "memory"
  display_name = "Memory (GiB)"
  type         = "number"
  default      = 8
  mutable      = true
  validation {
    min = 2
    max = 128
  }
}

data "coder_parameter" "home_disk" {
  name         = "home_disk"
  display_name = "Disk of the home directory (GiB)"
  type         = "number"
  default      = 20
  mutable      = false
  validation {
    min = 5
    max = 500
  }
}

data "coder_parameter" "docker_disk" {
  name         = "docker_disk"
  display_name = "Disk of Docker's images and of what is installed (GiB)"
  type         = "number"
  default      = 50
  mutable      = false
  validation {
    min = 10
    max = 1000
  }
}

data "coder_parameter" "rate_down" {
  name         = "rate_down"
  display_name = "Download rate"
  description  = "as 100mbit or 2gbit; root in the workspace cannot change it"
  type         = "string"
  default      = "1gbit"
  mutable      = true
  validation {
    regex = "^[0-9]+(kbit|mbit|gbit)$"
    error = "a number and kbit, mbit or gbit"
  }
}

data "coder_parameter" "rate_up" {
  name         = "rate_up"
  display_name = "Upload rate"
  description  = "as 100mbit or 2gbit; root in the workspace cannot change it"
  type         = "string"
  default      = "200mbit"
  mutable      = true
  validation {
    regex = "^[0-9]+(kbit|mbit|gbit)$"
    error = "a number and kbit, mbit or gbit"
  }
}

data "coder_parameter" "watches" {
  name         = "watches"
  display_name = "File watchers"
  description  = "inotify watches of all of the workspace together"
  type         = "number"
  default      = 500000
  mutable      = true
  validation {
    min = 8192
    max = 10000000
  }
}

resource "coder_agent" "main" {
  os   = "linux"
  arch = data.coder_provisioner.me.arch
}

locals {
  name = "coder-${lower(data.coder_workspace_owner.me.name)}-${lower(data.coder_workspace.me.name)}"
  labels = {
    "app.kubernetes.io/name"     = "workspace"
    "app.kubernetes.io/instance" = local.name
    "com.coder.workspace.id"     = data.coder_workspace.me.id
  }
}

resource "kubernetes_persistent_volume_claim_v1" "home" {
  metadata {
    name      = "${local.name}-home"
    namespace = var.namespace
    labels    = local.labels
  }
  wait_until_bound = false
  spec {
    access_modes = ["ReadWriteOnce"]
    resources {
      requests = { storage = "${data.coder_parameter.home_disk.value}Gi" }
    }
  }
}

resource "kubernetes_persistent_volume_claim_v1" "state" {
  metadata {
    name      = "${local.name}-state"
    namespace = var.namespace
    labels    = local.labels
  }
  wait_until_bound = false
  spec {
    access_modes = ["ReadWriteOnce"]
    resources {
      requests = { storage = "${data.coder_parameter.docker_disk.value}Gi" }
    }
  }
}

resource "kubernetes_secret_v1" "agent" {
  count = data.coder_workspace.me.start_count
  metadata {
    name      = "${local.name}-agent"
    namespace = var.namespace
    labels    = local.labels
  }
  data = {
    "agent.sh" = <<-EOT
      export CODER_AGENT_TOKEN='${coder_agent.main.token}'
      ${coder_agent.main.init_script}
    EOT
  }
}

resource "kubernetes_manifest" "pod" {
  count = data.coder_workspace.me.start_count
  manifest = {
    apiVersion = "v1"
    kind       = "Pod"
    metadata = {
      name      = local.name
      namespace = var.namespace
      labels    = local.labels
    }
    spec = {
      hostUsers                     = false
      automountServiceAccountToken  = false
      enableServiceLinks            = false
      terminationGracePeriodSeconds = 60
      securityContext = {
        seccompProfile  = { type = "Localhost", localhostProfile = "berth.json" }
        appArmorProfile = { type = "Localhost", localhostProfile = "berth" }
      }
      containers = [{
        name    = "workspace"
        image   = var.image
        command = ["berth", "entrypoint"]
        env = [
          { name = "BERTH_INIT", value = var.tier_b ? "berth" : "systemd" },
          { name = "BERTH_STATE", value = "/var/lib/workspace" },
          { name = "BERTH_HOSTNAME", value = lower(data.coder_workspace.me.name) },
          # The volume is dev's home, not /home: what is in the image there would be hidden.
          { name = "BERTH_VOLUME", value = "/srv/home:/home/dev:U" },
          { name = "BERTH_USER", value = "dev" },
          { name = "BERTH_BOOTSTRAP", value = "/etc/berth/agent/agent.sh" },
          { name = "BERTH_BOOTSTRAP_RESTART", value = "always" },
          { name = "BERTH_RATE_DOWN", value = data.coder_parameter.rate_down.value },
          { name = "BERTH_RATE_UP", value = data.coder_parameter.rate_up.value },
          { name = "BERTH_WATCHES", value = tostring(data.coder_parameter.watches.value) },
          { name = "BERTH_STOP_TIMEOUT", value = "50" },
        ]
        securityContext = { procMount = "Unmasked" }
        resources = {
          requests = { cpu = "250m", memory = "1Gi" }
          limits = {
            cpu    = tostring(data.coder_parameter.cpu.value)
            memory = "${data.coder_parameter.memory.value}Gi"
          }
        }
        startupProbe = {
          exec             = { command = ["berth", "health"] }
          periodSeconds    = 2
          failureThreshold = 15
          timeoutSeconds   = 6
        }
        readinessProbe = {
          exec           = { command = ["berth", "health", "--ready"] }
          timeoutSeconds = 6
        }
        livenessProbe = {
          exec           = { command = ["berth", "health"] }
          periodSeconds  = 30
          timeoutSeconds = 6
        }
        volumeMounts = [
          { name = "home", mountPath = "/srv/home" },
          { name = "state", mountPath = "/var/lib/workspace" },
          { name = "agent", mountPath = "/etc/berth/agent", readOnly = true },
        ]
      }]
      volumes = [
        { name = "home", persistentVolumeClaim = { claimName = kubernetes_persistent_volume_claim_v1.home.metadata[0].name } },
        { name = "state", persistentVolumeClaim = { claimName = kubernetes_persistent_volume_claim_v1.state.metadata[0].name } },
        { name = "agent", secret = { secretName = "${local.name}-agent" } },
      ]
    }
  }
  depends_on = [kubernetes_secret_v1.agent]
}
