{{- define "finslm.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{- define "finslm.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "finslm.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "finslm.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "finslm.selectorLabels" -}}
app.kubernetes.io/name: {{ include "finslm.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "finslm.labels" -}}
{{ include "finslm.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "finslm.image" -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}
{{- if .Values.image.digest -}}
{{- printf "%s:%s@%s" .Values.image.repository $tag .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository $tag -}}
{{- end -}}
{{- end }}

{{- define "finslm.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "finslm.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end }}

{{- define "finslm.modelsClaim" -}}
{{- .Values.models.persistence.existingClaim | default (printf "%s-models" (include "finslm.fullname" .)) -}}
{{- end }}

{{- define "finslm.serverName" -}}
{{- .Values.tls.serverName | default (printf "%s.%s.svc" (include "finslm.fullname" .) .Release.Namespace) -}}
{{- end }}

{{/* Pod Security Standards, "restricted". fsGroup makes the claims writable for the service's user;
OnRootMismatch because a recursive change would open the log's signing key to the group, and the
program refuses a key that others can read. */}}
{{- define "finslm.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "finslm.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
privileged: false
capabilities:
  drop: [ALL]
{{- end }}

{{/* Items {namespace, podLabels} as NetworkPolicy peers. */}}
{{- define "finslm.peers" -}}
{{- range . }}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ .namespace }}
  {{- with .podLabels }}
  podSelector:
    matchLabels: {{- toYaml . | nindent 6 }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "finslm.dns" -}}
- to:
    {{- include "finslm.peers" (list .Values.networkPolicy.dns) | trim | nindent 4 }}
  ports:
    - { protocol: UDP, port: 53 }
    - { protocol: TCP, port: 53 }
{{- end }}

{{/* With mutual TLS the test pod would need a certificate of its own; there the probes are the test. */}}
{{- define "finslm.testable" -}}
{{- and .Values.tests.enabled (not .Values.tls.clientCaSecretName) -}}
{{- end }}

{{/* Kubelet's gRPC probe speaks no TLS, so with TLS the pod asks itself. */}}
{{- define "finslm.probe" -}}
{{- if .Values.tls.secretName }}
exec:
  command:
    - python
    - -c
    - >-
      import sys; from finslm.client import Client, Tls;
      tls = Tls(ca_file="/etc/finslm/tls/ca.crt", server_name={{ include "finslm.serverName" . | quote }}
      {{- if .Values.tls.probeSecretName }}, cert_file="/etc/finslm/probe/tls.crt", key_file="/etc/finslm/probe/tls.key"{{ end }});
      sys.exit(Client("127.0.0.1:50051", tls=tls).health("", timeout_s=4.0) != "SERVING")
{{- else }}
grpc:
  port: 50051
{{- end }}
{{- end }}

{{- define "finslm.check" -}}
{{- if not .Values.access.tokensSecret.name -}}
{{- fail "access.tokensSecret.name is required: the service listens on the network and refuses to start without a token file. Make a Secret with the key tokens.yaml (principal: SHA-256 of its token) and name it." -}}
{{- end -}}
{{- if eq .Values.image.tag "latest" -}}
{{- fail "image.tag latest is refused: name a version, or set image.digest." -}}
{{- end -}}
{{- if and .Values.tls.clientCaSecretName (not .Values.tls.secretName) -}}
{{- fail "tls.clientCaSecretName needs tls.secretName: there is no mutual TLS without TLS." -}}
{{- end -}}
{{- if and .Values.tls.clientCaSecretName (not .Values.tls.probeSecretName) -}}
{{- fail "tls.probeSecretName is required with tls.clientCaSecretName: the probes need a client certificate of their own." -}}
{{- end -}}
{{- if and .Values.modelPull.enabled (not .Values.modelPull.egress) .Values.networkPolicy.enabled -}}
{{- fail "modelPull.egress is required with modelPull.enabled: name the mirror ({cidr, port} or {namespace, podLabels, port}); nothing else may be reached." -}}
{{- end -}}
{{- if and .Values.modelPull.enabled .Values.models.persistence.existingClaim (has "ReadOnlyMany" .Values.models.persistence.accessModes) -}}
{{- fail "modelPull writes to the models volume, and models.persistence.accessModes says ReadOnlyMany." -}}
{{- end -}}
{{- end }}
