{{- define "stopwise.name" -}}
{{- if contains "stopwise" .Release.Name }}{{ .Release.Name | trunc 63 | trimSuffix "-" }}{{ else }}{{ printf "%s-stopwise" .Release.Name | trunc 63 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "stopwise.selector" -}}
app.kubernetes.io/name: stopwise
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "stopwise.labels" -}}
{{ include "stopwise.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "stopwise.managementPort" -}}
{{ if .Values.managementPort }}management{{ else }}http{{ end }}
{{- end }}
