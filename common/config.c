/* An INI file (inih) against a table of options. */
#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/bytes.h"
#include "common/config.h"

#define CONFIG_FILE_MAX	(1 << 20)	/* bytes */
#define CONFIG_LINE_MAX	1024		/* with its end */
#define CONFIG_BLANKS	" \t\v\f\r"

struct config_run {
	const char	*name;
	const char	*at;		/* rest of the text */
	int		 line;
	char		 text[CONFIG_LINE_MAX];	/* this line, trimmed */
	char		 section[CONFIG_LINE_MAX], label[CONFIG_LINE_MAX];
	const struct config_option *opts;
	size_t		 nopts;
	config_section_cb *section_cb;
	void		*arg;
	struct config_error *err;
	int		 failed;
};

static void	 config_fail(struct config_run *run, const char *fmt, ...)
		    __attribute__((format(printf, 2, 3)));

static void
config_fail(struct config_run *run, const char *fmt, ...)
{
	va_list	 ap;
	int	 n;

	if (run->failed)		/* the first one counts */
		return;
	run->failed = 1;
	/* A path however long leaves room for the reason. */
	n = snprintf(run->err->text, sizeof(run->err->text), "%.256s:%d: ",
	    run->name, run->line);
	va_start(ap, fmt);
	vsnprintf(run->err->text + n, sizeof(run->err->text) - (size_t)n, fmt,
	    ap);
	va_end(ap);
}

static int
config_knows_section(const struct config_run *run, const char *section)
{
	for (size_t i = 0; i < run->nopts; i++)
		if (strcmp(run->opts[i].section, section) == 0)
			return (1);
	return (0);
}

/*
 * A line "[name label]" begins a section, even one that has no keys.  inih
 * would cut the name at 49 bytes, so that it is kept here.
 */
static void
config_section(struct config_run *run)
{
	struct slice	 s;
	const char	*end = strchr(run->text, ']'), *why = NULL;
	size_t		 n;

	if (end == NULL || end[1 + strspn(end + 1, CONFIG_BLANKS)] != '\0') {
		config_fail(run, "a section is written [name] on a line");
		return;
	}
	s = slice_trim(slice_of(run->text + 1, (size_t)(end - run->text) - 1));
	n = 0;
	while (n < s.len && s.data[n] != ' ' && s.data[n] != '\t')
		n++;
	memcpy(run->section, s.data, n);
	run->section[n] = '\0';
	s = slice_trim(slice_of(s.data + n, s.len - n));
	memcpy(run->label, s.data, s.len);
	run->label[s.len] = '\0';
	if (!config_knows_section(run, run->section))
		config_fail(run, "[%s]: there is no such section",
		    run->section);
	else if (run->section_cb != NULL &&
	    run->section_cb(run->arg, run->section, run->label, &why) == -1)
		config_fail(run, "[%s%s%s]: %s", run->section,
		    *run->label ? " " : "", run->label,
		    why != NULL ? why : "not a valid section");
}

/*
 * inih's reader: one line at a time, so that we know which.  We keep the line
 * too, for inih's ends at 198 bytes, and its values at " ;".
 */
static char *
config_read(char *dst, int size, void *stream)
{
	struct config_run	*run = stream;
	const char		*line;
	size_t			 n;

	if (*run->at == '\0' || run->failed)
		return (NULL);
	run->line++;
	/* White space in front would make inih see a continuation. */
	line = run->at + strspn(run->at, CONFIG_BLANKS);
	n = strcspn(line, "\n");
	run->at = line[n] == '\0' ? line + n : line + n + 1;
	while (n > 0 && strchr(CONFIG_BLANKS, line[n - 1]) != NULL)
		n--;
	if (n >= sizeof(run->text)) {
		config_fail(run, "the line is longer than %zu bytes",
		    sizeof(run->text) - 1);
		return (NULL);
	}
	memcpy(run->text, line, n);
	run->text[n] = '\0';
	if (*run->text == '[')
		config_section(run);
	if (n + 2 > (size_t)size)
		n = (size_t)size - 2;
	memcpy(dst, line, n);
	dst[n] = '\n';
	dst[n + 1] = '\0';
	return (dst);
}

/* Does row o take this key?  Its own name, or "prefix*". */
static int
config_takes(const struct config_option *o, const char *key)
{
	size_t	 n = strlen(o->key);

	if (n > 0 && o->key[n - 1] == '*')
		return (strncmp(o->key, key, n - 1) == 0);
	return (strcmp(o->key, key) == 0);
}

static int
config_key_cb(void *user, const char *full, const char *key,
    const char *cut)
{
	struct config_run	*run = user;
	char			*value;
	const char		*label = run->label, *why = NULL;
	size_t			 n;

	(void)full, (void)cut;
	if (run->failed)
		return (0);
	/* inih found the key, so that one of these follows it. */
	if ((value = strpbrk(run->text, "=:")) == NULL)
		return (0);
	value++;
	value += strspn(value, CONFIG_BLANKS);
	n = strlen(value);
	if (n >= 2 && (*value == '"' || *value == '\'') &&
	    value[n - 1] == *value) {
		value[n - 1] = '\0';
		value++;
	}
	if (*run->section == '\0') {
		config_fail(run, "%s: stands before the first [section]", key);
		return (0);
	}
	for (size_t i = 0; i < run->nopts; i++) {
		const struct config_option	*o = &run->opts[i];

		if (strcmp(o->section, run->section) != 0 ||
		    !config_takes(o, key))
			continue;
		if (strchr(o->key, '*') != NULL)
			label = key;
		if (o->set(run->arg, label, value, &why) == 0)
			return (1);
		if (why == NULL)
			why = "not a valid value";
		goto fail;
	}
	why = "there is no such key";
fail:
	config_fail(run, "[%s%s%s] %s: %s", run->section,
	    *run->label ? " " : "", run->label, key, why);
	return (0);
}

int
config_text(const char *name, const char *text,
    const struct config_option *opts, size_t nopts,
    config_section_cb *section_cb, void *arg, struct config_error *err)
{
	struct config_run	 run = { .name = name, .at = text, .opts = opts,
				    .nopts = nopts, .section_cb = section_cb,
				    .arg = arg, .err = err };
	int			 line;

	if (strncmp(text, "\xef\xbb\xbf", 3) == 0)	/* a byte order mark */
		run.at += 3;
	line = ini_parse_stream(config_read, &run, config_key_cb, &run);
	/* inih goes on behind an error: its first may be before ours. */
	if (line > 0 && (!run.failed || line < run.line)) {
		run.failed = 0;
		run.line = line;
		config_fail(&run, "neither [section] nor key = value");
	} else if (line < 0)
		config_fail(&run, "no memory");
	return (run.failed ? -1 : 0);
}

int
config_file(const char *path, const struct config_option *opts,
    size_t nopts, config_section_cb *section_cb, void *arg,
    struct config_error *err)
{
	FILE	*f;
	char	*text;
	size_t	 n;
	int	 r = -1;

	if ((f = fopen(path, "re")) == NULL) {
		snprintf(err->text, sizeof(err->text), "%s: %s", path,
		    strerror(errno));
		return (-1);
	}
	if ((text = malloc(CONFIG_FILE_MAX + 1)) == NULL) {
		snprintf(err->text, sizeof(err->text), "%s: no memory", path);
		fclose(f);
		return (-1);
	}
	n = fread(text, 1, CONFIG_FILE_MAX, f);
	text[n] = '\0';
	if (ferror(f))
		snprintf(err->text, sizeof(err->text), "%s: %s", path,
		    strerror(errno));
	else if (n == CONFIG_FILE_MAX)
		snprintf(err->text, sizeof(err->text),
		    "%s: larger than 1 MiB", path);
	else if (memchr(text, '\0', n) != NULL)
		snprintf(err->text, sizeof(err->text),
		    "%s: this is not a text file", path);
	else
		r = config_text(path, text, opts, nopts, section_cb, arg, err);
	free(text);
	fclose(f);
	return (r);
}

/* ---- values ---- */

int
config_bool(const char *value, int *out, const char **why)
{
	static const char *const	 yes[] = { "yes", "true", "on", "1" };
	static const char *const	 no[] = { "no", "false", "off", "0" };

	for (size_t i = 0; i < nitems(yes); i++) {
		if (strcasecmp(value, yes[i]) == 0)
			return (*out = 1, 0);
		if (strcasecmp(value, no[i]) == 0)
			return (*out = 0, 0);
	}
	*why = "must be yes or no";
	return (-1);
}

/* A number and what follows it: 0, or -1. */
static int
config_number(const char *value, uint64_t *n, const char **rest)
{
	size_t	 digits = strspn(value, "0123456789");

	*rest = value + digits;
	return (slice_u64(slice_of(value, digits), UINT64_MAX / 4096 / 1024 /
	    1024, n));
}

static int
config_range(uint64_t n, uint64_t min, uint64_t max, const char *unit,
    const char **why)
{
	static char	 text[96];

	if (n >= min && n <= max)
		return (0);
	snprintf(text, sizeof(text), "must be from %llu to %llu%s",
	    (unsigned long long)min, (unsigned long long)max, unit);
	*why = text;
	return (-1);
}

int
config_size(const char *value, size_t min, size_t max, size_t *out,
    const char **why)
{
	static const char	 units[] = "kmg";
	const char		*rest, *unit;
	uint64_t		 n;

	if (config_number(value, &n, &rest) == -1)
		goto bad;
	if (*rest != '\0') {
		if ((unit = strchr(units, *rest | 0x20)) == NULL ||
		    *unit == '\0' || rest[1] != '\0')
			goto bad;
		n <<= 10 * (unit - units + 1);
	}
	if (config_range(n, min, max, " bytes", why) == -1)
		return (-1);
	*out = (size_t)n;
	return (0);
bad:
	*why = "must be a size like 512, 64k, 16M or 1G";
	return (-1);
}

int
config_uint(const char *value, unsigned min, unsigned max, unsigned *out,
    const char **why)
{
	const char	*rest;
	uint64_t	 n;

	if (config_number(value, &n, &rest) == -1 || *rest != '\0') {
		*why = "must be a number";
		return (-1);
	}
	if (config_range(n, min, max, "", why) == -1)
		return (-1);
	*out = (unsigned)n;
	return (0);
}

/* *why, and what would be right. */
static int
config_limit_bad(const char **why)
{
	static char	 text[128];

	snprintf(text, sizeof(text), "%s (\"none\" is no limit)", *why);
	*why = text;
	return (-1);
}

int
config_limit(const char *value, unsigned max, unsigned *out, const char **why)
{
	if (strcmp(value, "none") == 0)
		return (*out = 0, 0);
	return (config_uint(value, 1, max, out, why) == 0 ? 0 :
	    config_limit_bad(why));
}

int
config_limit_size(const char *value, size_t max, size_t *out,
    const char **why)
{
	if (strcmp(value, "none") == 0)
		return (*out = 0, 0);
	return (config_size(value, 1, max, out, why) == 0 ? 0 :
	    config_limit_bad(why));
}

int
config_duration(const char *value, unsigned min_ms, unsigned max_ms,
    unsigned *out_ms, const char **why)
{
	static const struct {
		const char	*name;
		unsigned	 ms;
	} units[] = { { "", 1000 }, { "ms", 1 }, { "s", 1000 },
	    { "m", 60000 }, { "h", 3600000 } };
	const char	*rest;
	uint64_t	 n;

	if (config_number(value, &n, &rest) == -1)
		goto bad;
	for (size_t i = 0; i < nitems(units); i++) {
		if (strcmp(rest, units[i].name) != 0)
			continue;
		n *= units[i].ms;
		if (config_range(n, min_ms, max_ms, " ms", why) == -1)
			return (-1);
		*out_ms = (unsigned)n;
		return (0);
	}
bad:
	*why = "must be a duration like 500ms, 10s, 2m or 1h";
	return (-1);
}

int
config_lifetime(const char *value, unsigned min_s, unsigned max_s,
    unsigned *out_s, const char **why)
{
	static const struct {
		const char	*name;
		unsigned	 s;
	} units[] = { { "", 1 }, { "s", 1 }, { "m", 60 }, { "h", 3600 },
	    { "d", 86400 } };
	const char	*rest;
	uint64_t	 n;

	if (config_number(value, &n, &rest) == -1)
		goto bad;
	for (size_t i = 0; i < nitems(units); i++) {
		if (strcmp(rest, units[i].name) != 0)
			continue;
		n *= units[i].s;
		if (config_range(n, min_s, max_s, " s", why) == -1)
			return (-1);
		*out_s = (unsigned)n;
		return (0);
	}
bad:
	*why = "must be a time like 10m, 12h or 30d";
	return (-1);
}
