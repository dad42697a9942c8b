{{- define "msgbus.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* (list . "node"): what selects the pods of one part. */}}
{{- define "msgbus.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ $root.Chart.Name }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "msgbus.elUrl" -}}
{{- .Values.execution.url | default (printf "http://%s-el:8545" .Release.Name) -}}
{{- end }}

{{/* What is the same of all our pods. */}}
{{- define "msgbus.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 1000
  runAsGroup: 1000
  fsGroup: 1000
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "msgbus.container" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end }}

{{/* (dict "volume" .Values.network): the spec of a claim. */}}
{{- define "msgbus.claim" -}}
accessModes: [{{ .accessMode | default "ReadWriteOnce" }}]
{{- with .storageClassName }}
storageClassName: {{ . }}
{{- end }}
resources: { requests: { storage: {{ .size }} } }
{{- end }}

{{/* Waits until genesis has written the network directory, of which bootnodes.txt is the last file. */}}
{{- define "msgbus.awaitNetwork" -}}
tries=0
until [ -s /network/bootnodes.txt ]; do
  tries=$((tries + 1))
  if [ "$tries" -gt 300 ]; then echo "no network after 5 minutes: see the genesis job" >&2; exit 1; fi
  sleep 1
done
{{- end }}
