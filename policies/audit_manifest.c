#include <errno.h>
#include <string.h>

#include "audit_internal.h"

/**
 * struct walk - A file being walked through
 * @subject:	audit, file and owner are set
 * @err:	where the file is no such file
 */
struct walk {
	struct audit_subject subject;
	struct err *err;
};

static int refuse(struct walk *walk, const struct yaml_value *at, const char *what)
{
	return err_set(walk->err, EINVAL, "%s:%u:%u: %s", walk->subject.file, at->line,
	               at->column, what);
}

static const char *join(struct walk *walk, const char *path, const char *key)
{
	return *path ? audit_text(&walk->subject, "%s.%s", path, key)
	             : audit_text(&walk->subject, "%s", key);
}

static int containers(struct walk *walk, const char *key, bool ephemeral)
{
	struct audit_subject *s = &walk->subject;
	const struct yaml_value *list = yaml_get(s->pod, key);
	size_t i = 0;

	if (!list || list->type == YAML_NULL)
		return 0;
	if (list->type != YAML_LIST)
		return refuse(walk, list,
		              audit_text(s, "%s.%s is not a list", s->pod_path, key));
	for (const struct yaml_value *v = list->first; v; v = v->next, i++) {
		s->path = audit_text(s, "%s.%s[%zu]", s->pod_path, key, i);
		if (v->type != YAML_MAP)
			return refuse(walk, v, audit_text(s, "%s is not a map", s->path));
		s->container = v;
		s->ephemeral = ephemeral;
		audit_run(s, AUDIT_CONTAINER);
		if (!strcmp(key, "containers"))
			audit_add_tier(s);
		if (s->audit->in_file > AUDIT_FINDINGS_MAX)
			return err_set(walk->err, E2BIG, "%s: more than %d findings",
			               s->file, AUDIT_FINDINGS_MAX);
	}
	return 0;
}

/* A pod or a template of one: a map with metadata and spec. */
static int pod(struct walk *walk, const struct yaml_value *holder, const char *path)
{
	struct audit_subject *s = &walk->subject;
	const struct yaml_value *spec = yaml_get(holder, "spec");
	int r;

	s->pod_path = join(walk, path, "spec");
	s->meta_path = join(walk, path, "metadata");
	s->meta = yaml_get(holder, "metadata");
	if (!spec || spec->type != YAML_MAP)
		return refuse(walk, spec ? spec : holder,
		              audit_text(s, "%s is %s", s->pod_path,
		                         spec ? "not a map" : "missing"));
	s->pod = spec;
	s->container = NULL;
	s->path = s->pod_path;
	s->mapped = audit_is(spec, "hostUsers", false);
	s->audit->subjects++;
	audit_run(s, AUDIT_POD);
	r = containers(walk, "containers", false);
	if (r == 0)
		r = containers(walk, "initContainers", false);
	if (r == 0)
		r = containers(walk, "ephemeralContainers", true);
	return r;
}

/* Where each kind has its pod; of other kinds, where most custom ones have it. */
static const struct {
	const char *kind;
	const char *to[5]; /* to the map that holds metadata and spec, NULL-terminated */
} kinds[] = {
	{ "Pod", { NULL } },
	{ "PodTemplate", { "template", NULL } },
	{ "CronJob", { "spec", "jobTemplate", "spec", "template", NULL } },
	{ NULL, { "spec", "template", NULL } },
};

/* Kubernetes' own; elsewhere a kind of the same name is another thing. */
static bool is_built_in(const struct yaml_value *object)
{
	static const char *const groups[] = { "v1", "apps/", "batch/", "extensions/" };
	const char *version = audit_scalar(object, "apiVersion");

	if (!version || !strcmp(version, groups[0]))
		return true;
	for (size_t i = 1; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (!strncmp(version, groups[i], strlen(groups[i])))
			return true;
	return false;
}

static bool is_controller(const char *kind)
{
	static const char *const controllers[] = {
		"Deployment", "StatefulSet",           "DaemonSet", "ReplicaSet",
		"Job",        "ReplicationController", NULL,
	};

	for (size_t i = 0; controllers[i]; i++)
		if (!strcmp(kind, controllers[i]))
			return true;
	return false;
}

/* A List may hold Lists, and kubectl takes what is in them: as deep as YAML may be. */
static int object(struct walk *walk, const struct yaml_value *value, const char *path)
{
	struct audit_subject *s = &walk->subject;
	const char *kind = audit_scalar(value, "kind");
	const char *name = audit_scalar(yaml_get(value, "metadata"), "name");
	const struct yaml_value *holder = value, *items = yaml_get(value, "items");
	bool built_in = is_built_in(value);
	size_t row = 0, i = 0;
	int r = 0;

	if (value->type != YAML_MAP || !kind || !*kind) {
		(void)refuse(walk, value, "no Kubernetes object: it has no 'kind'");
		return err_hint(walk->err, "a chart has to be rendered before: helm "
		                           "template, kustomize build");
	}
	if (items && items->type == YAML_LIST && strlen(kind) >= 4 &&
	    !strcmp(kind + strlen(kind) - 4, "List")) {
		for (const struct yaml_value *v = items->first; v && r == 0;
		     v = v->next, i++)
			r = object(walk, v,
			           audit_text(s, "%s%sitems[%zu]", path, *path ? "." : "",
			                      i));
		return r;
	}
	while (kinds[row].kind && (!built_in || strcmp(kinds[row].kind, kind) != 0))
		row++;
	for (i = 0; kinds[row].to[i] && holder; i++) {
		holder = yaml_get(holder, kinds[row].to[i]);
		path = join(walk, path, kinds[row].to[i]);
	}
	/* Services and the like, and custom kinds whose template is none of a pod. */
	if (!kinds[row].kind && !(built_in && is_controller(kind))) {
		const struct yaml_value *spec = yaml_get(holder, "spec");

		if (!yaml_get(spec, "containers"))
			return 0;
	}
	if (!holder)
		return refuse(walk, value,
		              audit_text(s, "'%.40s' has no %s", kind, path));
	s->owner = value;
	s->name = audit_text(s, "%.63s %.253s", kind, name ? name : "without a name");
	return pod(walk, holder, path);
}

int audit_manifest(struct audit *audit, const char *file, const char *text, size_t size,
                   struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	const struct audit before = *audit;
	const struct yaml_value *documents = NULL;
	struct walk walk = { .subject = { .audit = audit }, .err = err };
	int r = yaml_parse(file, text, size, &arena, &documents, err);

	if (r < 0)
		return r;
	audit->in_file = 0;
	walk.subject.file = arena_dup(audit->arena, file);
	for (const struct yaml_value *v = documents->first; v && r == 0; v = v->next)
		if (v->type != YAML_NULL)
			r = object(&walk, v, "");
	if (r == 0 && (audit->arena->failed || arena.failed))
		r = err_set(err, ENOMEM, "audit '%s'", file);
	if (r < 0) {
		*audit = before;
		if (audit->last)
			audit->last->next = NULL;
		if (audit->tier_last)
			audit->tier_last->next = NULL;
	}
	return r;
}
