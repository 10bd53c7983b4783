#include <errno.h>
#include <string.h>

#include "config_internal.h"
#include "policies/policy.h"
#include "run.h"

/* What stands for a value that may be a secret. */
#define HIDDEN "***"

static const struct policy_key *key_of(const char *option)
{
	for (size_t i = 0; i < policy_keys_n; i++) {
		const struct policy_key *key = &policy_keys[i];

		/* All of them have a value by now: those are the environment's. */
		if (!strcmp(key->option, option) &&
		    (strcmp(option, "env") != 0 || key->type == POLICY_MAP))
			return key;
	}
	return NULL;
}

static const char *value_of(const struct policy_key *key, const char *word,
                            struct arena *arena)
{
	/* A flag is said by its name alone. */
	if (key->type == POLICY_BOOL && strcmp(key->option, "nested") != 0)
		return "true";
	if (!strcmp(key->path, "environment"))
		return arena_printf(arena, "%.*s=" HIDDEN, (int)strcspn(word, "="), word);
	return word;
}

/* The words that say the whole config, each as the setting of its key. */
static size_t settings(const struct config *config, struct arena *arena,
                       struct policy_setting *ret)
{
	struct option row[CONFIG_OPTIONS_MAX];
	const size_t rows = config_options(CONFIG_RUN, row);
	size_t words_n = 0, n = 0;
	const char *const *word = config_words(config, arena, &words_n);

	for (size_t i = 1; word && i < words_n && strcmp(word[i], "--") != 0; i++) {
		const char *option = word[i] + 2;
		const struct policy_key *key = key_of(option);
		size_t at = 0;

		while (at < rows && strcmp(row[at].name, option) != 0)
			at++;
		if (key && ret)
			ret[n] = (struct policy_setting){
				.key = key,
				.value = value_of(key, word[i + 1], arena),
				.file = "",
			};
		n += key != NULL;
		i += at == rows || row[at].arg != NULL;
	}
	return n;
}

int config_settings(const struct config *config, struct arena *arena, struct policy *ret,
                    struct err *err)
{
	const size_t n = settings(config, arena, NULL);
	struct policy_setting *loose = arena_alloc(arena, (n + 1) * sizeof(*loose));
	struct policy_setting *sorted = arena_alloc(arena, (n + 1) * sizeof(*sorted));
	struct policy policy = { .name = "", .setting = sorted };

	if (!loose || !sorted || arena->failed)
		return err_set(err, ENOMEM, "write down the policy");
	(void)settings(config, arena, loose);
	for (size_t i = 0; i < policy_keys_n; i++)
		for (size_t k = 0; k < n; k++)
			if (loose[k].key == &policy_keys[i])
				sorted[policy.n++] = loose[k];
	*ret = policy;
	return 0;
}

size_t config_origins(const struct config *config, struct arena *arena,
                      const char *const **ret)
{
	const char **text =
		arena_alloc(arena, (3 * config->origin_n + 1) * sizeof(*text));
	size_t n = 0;

	for (size_t i = 0; text && i < config->origin_n; i++) {
		const struct origin *o = &config->origin[i];
		const bool secret = !strcmp(o->key, "environment");

		text[n++] = arena_dup(arena, o->key);
		text[n++] = secret ? arena_printf(arena, "%.*s=" HIDDEN,
		                                  (int)strcspn(o->value, "="), o->value)
		                   : arena_dup(arena, o->value ? o->value : "true");
		text[n++] = arena_dup(arena, o->where);
	}
	*ret = text;
	return n;
}
