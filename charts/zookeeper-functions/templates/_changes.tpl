{{/*
The files of config/ and sources/ are read as they are (files/ has links to them), and changed as the
components of config/components change them. tests/contract/test_charts.py compares both, object by
object.
*/}}

{{/* Where events are sent: the address of the Broker. */}}
{{- define "broker-url" -}}
{{- $own := ternary "kafka-broker-ingress" "broker-ingress" (eq .Values.broker.class "Kafka") -}}
{{- $host := .Values.broker.ingress | default (printf "%s.knative-eventing.svc.cluster.local" $own) -}}
http://{{ $host }}/{{ .Release.Namespace }}/zookeeper
{{- end -}}

{{/* Everything is labelled, so that it is found again, and is in the release's namespace. */}}
{{- define "place" -}}
{{- $meta := .object.metadata -}}
{{- $_ := set $meta "labels" (merge (dict "app.kubernetes.io/part-of" "zookeeper-functions") ($meta.labels | default dict)) -}}
{{- if $meta.namespace }}{{ $_ := set $meta "namespace" .root.Release.Namespace }}{{ end -}}
{{- range .object.subjects }}{{ $_ := set . "namespace" $.root.Release.Namespace }}{{ end -}}
{{- end -}}

{{/* A reference to a Broker or to a function that Triggers and the Broker deliver to. */}}
{{- define "reference" -}}
{{- $_ := set .ref "namespace" .root.Release.Namespace -}}
{{- if and (eq .ref.kind "Service") (eq .root.Values.serving "deployments") }}{{ $_ := set .ref "apiVersion" "v1" }}{{ end -}}
{{- end -}}

{{- define "Broker" -}}
{{- include "reference" (dict "ref" .object.spec.delivery.deadLetterSink.ref "root" .root) -}}
{{- if eq .root.Values.broker.class "Kafka" -}}
{{- $_ := set .object.metadata "annotations" (dict "eventing.knative.dev/broker.class" "Kafka") -}}
{{- $config := dict "apiVersion" "v1" "kind" "ConfigMap" "name" .root.Values.broker.config.name "namespace" .root.Values.broker.config.namespace -}}
{{- $_ := set .object.spec "config" $config -}}
{{- end -}}
{{- end -}}

{{- define "Trigger" -}}
{{- include "reference" (dict "ref" .object.spec.subscriber.ref "root" .root) -}}
{{- end -}}

{{- define "ApiServerSource" -}}
{{- include "reference" (dict "ref" .object.spec.sink.ref "root" .root) -}}
{{- if eq .root.Values.scope "namespace" }}{{ $_ := unset .object.spec "namespaceSelector" }}{{ end -}}
{{- end -}}

{{- define "PingSource" -}}
{{- include "reference" (dict "ref" .object.spec.sink.ref "root" .root) -}}
{{- $which := trimPrefix "resync-" .object.metadata.name -}}
{{- $_ := set .object.spec "schedule" (get .root.Values.resync $which) -}}
{{- end -}}

{{/* ClusterRole and ClusterRoleBinding: for one namespace, Role and RoleBinding. */}}
{{- define "ClusterRole" -}}
{{- if eq .root.Values.scope "namespace" -}}
{{- $_ := set .object "kind" (trimPrefix "Cluster" .object.kind) -}}
{{- $_ := set .object.metadata "namespace" .root.Release.Namespace -}}
{{- if .object.roleRef }}{{ $_ := set .object.roleRef "kind" "Role" }}{{ end -}}
{{- end -}}
{{- end -}}
{{- define "ClusterRoleBinding" -}}{{ include "ClusterRole" . }}{{- end -}}

{{- define "function" -}}
{{- $values := .root.Values -}}
{{- $pod := .object.spec.template.spec -}}
{{- $container := first $pod.containers -}}
{{- $_ := set $container "image" $values.image -}}
{{- range $container.env -}}
{{- if eq .name "FUNCTIONS_IMAGE" }}{{ $_ := set . "value" $values.image }}{{ end -}}
{{- if has .name (list "BROKER_URL" "K_SINK") }}{{ $_ := set . "value" (include "broker-url" $.root) }}{{ end -}}
{{- end -}}
{{- if eq $values.scope "namespace" -}}
{{- $_ := set $container "env" (append $container.env (dict "name" "WATCH_NAMESPACE" "value" .root.Release.Namespace)) -}}
{{- end -}}
{{- $_ := set $container "env" (concat $container.env $values.env) -}}
{{- if $values.resources }}{{ $_ := set $container "resources" $values.resources }}{{ end -}}
{{- if $values.imagePullSecrets }}{{ $_ := set $pod "imagePullSecrets" $values.imagePullSecrets }}{{ end -}}
{{- if eq $values.serving "deployments" }}{{ include "deployment" . }}{{ end -}}
{{- end -}}

{{/* As config/components/deployments/deployment.yaml. */}}
{{- define "deployment" -}}
{{- $_ := set .object "apiVersion" "apps/v1" -}}
{{- $_ := set .object "kind" "Deployment" -}}
{{- $_ := unset .object.metadata.labels "networking.knative.dev/visibility" -}}
{{- $spec := .object.spec -}}
{{- $_ := unset $spec.template.metadata "annotations" -}}
{{- $_ := unset $spec.template.spec "containerConcurrency" -}}
{{- $_ := unset $spec.template.spec "timeoutSeconds" -}}
{{- $_ := set $spec "selector" (dict "matchLabels" (deepCopy $spec.template.metadata.labels)) -}}
{{- $_ := set $spec "replicas" 1 -}}
{{- $_ := set $spec "strategy" (dict "rollingUpdate" (dict "maxSurge" 1 "maxUnavailable" 0)) -}}
{{- $container := first $spec.template.spec.containers -}}
{{- $_ := set $container "name" "function" -}}
{{- $_ := set $container "ports" (list (dict "name" "http" "containerPort" 8080)) -}}
{{- $_ := set $container "readinessProbe" (dict "tcpSocket" (dict "port" "http") "periodSeconds" 2) -}}
{{- end -}}

{{/* Whether an object is left out: Helm makes the namespace, and nodes belong to none. */}}
{{- define "left-out" -}}
{{- if eq .object.kind "Namespace" }}yes{{ end -}}
{{- if and (eq .root.Values.scope "namespace") (eq .object.metadata.name "zookeeper-functions-observe-nodes") }}yes{{ end -}}
{{- end -}}

{{- define "changed" -}}
{{- include "place" . -}}
{{- if has .object.kind (list "Broker" "Trigger" "ApiServerSource" "PingSource" "ClusterRole" "ClusterRoleBinding") -}}
{{- include .object.kind . -}}
{{- else if hasPrefix "serving.knative.dev/" .object.apiVersion -}}
{{- include "function" . -}}
{{- end -}}
{{ toYaml .object }}
{{- end -}}

{{/* Every object of some files, changed. */}}
{{- define "objects" -}}
{{- $root := .root -}}
{{- range $path, $text := $root.Files.Glob .glob -}}
{{- if not (hasSuffix "/kustomization.yaml" $path) -}}
{{- range regexSplit "(?m)^---\\s*$" (toString $text) -1 -}}
{{- $object := fromYaml . -}}
{{- if $object.kind -}}
{{- if not (include "left-out" (dict "object" $object "root" $root)) }}
---
{{ include "changed" (dict "object" $object "root" $root) }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
