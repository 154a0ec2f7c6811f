/* JSON as JavaScript reads and prints it, over jansson. */
#include <ctype.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shardd/apps/js.h"

#define JS_KEEP	(64 << 10)	/* bytes of a stream that is kept */

/* ---- reading ---- */

/* Brackets outside of strings: jansson would go deeper than we want to.  Those
 * that are never closed are not deep, but wrong. */
static int
js_too_deep(const char *data, size_t len, int max)
{
	int	 depth = 0, deepest = 0, quoted = 0;

	for (size_t i = 0; i < len; i++) {
		if (quoted) {
			if (data[i] == '\\')
				i++;
			else if (data[i] == '"')
				quoted = 0;
		} else if (data[i] == '"')
			quoted = 1;
		else if (data[i] == '[' || data[i] == '{')
			deepest = ++depth > deepest ? depth : deepest;
		else if (data[i] == ']' || data[i] == '}')
			depth--;
	}
	return (deepest <= max ? 0 : depth == 0 ? 1 : -1);
}

/* The UTF-16 unit of the \uXXXX that stands at s; -1: there is none. */
static int
js_unit(const char *s, const char *end)
{
	int	 v = 0;

	if (end - s < 6 || s[0] != '\\' || s[1] != 'u')
		return (-1);
	for (int i = 2; i < 6; i++) {
		if (!isxdigit((unsigned char)s[i]))
			return (-1);
		v = v * 16 + (isdigit((unsigned char)s[i]) ? s[i] - '0' :
		    (s[i] | 0x20) - 'a' + 10);
	}
	return (v);
}

char *
js_mend(const char *data, size_t len)
{
	const char	*end = data + len, *s = data;
	char		*copy = NULL;
	int		 unit;

	while ((s = memchr(s, '\\', (size_t)(end - s))) != NULL) {
		unit = js_unit(s, end);
		if (unit == -1)
			s += end - s < 2 ? 1 : 2;
		else if (unit < 0xd800 || unit > 0xdfff)
			s += 6;
		else if (unit < 0xdc00 && js_unit(s + 6, end) >= 0xdc00 &&
		    js_unit(s + 6, end) <= 0xdfff)
			s += 12;
		else {
			if (copy == NULL) {
				if ((copy = malloc(len)) == NULL)
					return (NULL);
				memcpy(copy, data, len);
			}
			memcpy(copy + (s - data), "\\ufffd", 6);
			s += 6;
		}
	}
	return (copy);
}

/* What cannot be carried, of all that jansson refuses; NULL: it is not JSON. */
static const char *
js_why(const json_error_t *e)
{
	switch (json_error_code(e)) {
	case json_error_null_byte_in_key:
		return ("the name of a member may not have \\u0000 in it");
	case json_error_numeric_overflow:
		return ("a number is too large, they end at 1.8e308");
	case json_error_out_of_memory:
		return ("no memory for this message");
	default:
		return (NULL);
	}
}

json_t *
js_parse(const char *data, size_t len, int depth, const char **why)
{
	static char	 text[64];
	json_error_t	 e;
	json_t		*v;
	char		*mended;
	int		 too = js_too_deep(data, len, depth);

	*why = NULL;
	if (too != 0) {
		snprintf(text, sizeof(text), "too deeply nested a message, at "
		    "most %d", depth);
		*why = too == 1 ? text : NULL;
		return (NULL);
	}
	mended = js_mend(data, len);
	v = json_loadb(mended == NULL ? data : mended, len, JSON_ALLOW_NUL |
	    JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, &e);
	free(mended);
	if (v == NULL)
		*why = js_why(&e);
	return (v);
}

/* Bytes of the white space (ECMA-262 12.2, 12.3) that stands at s; 0: none. */
static size_t
js_space(const char *s, const char *end)
{
	static const char *const	 wide[] = {
		"\xc2\xa0", "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81",
		"\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84",
		"\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87",
		"\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a",
		"\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf",
		"\xe2\x81\x9f", "\xe3\x80\x80", "\xef\xbb\xbf",
	};
	size_t	 n;

	if (s < end && isspace((unsigned char)*s))
		return (1);
	for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
		n = strlen(wide[i]);
		if ((size_t)(end - s) >= n && memcmp(s, wide[i], n) == 0)
			return (n);
	}
	return (0);
}

static double
js_radix(const char *s, const char *end, int base)
{
	double	 v = 0;
	int	 digit;

	if (s == end)
		return (NAN);
	for (; s < end; s++) {
		digit = isdigit((unsigned char)*s) ? *s - '0' :
		    isxdigit((unsigned char)*s) ? (*s | 0x20) - 'a' + 10 : 99;
		if (digit >= base)
			return (NAN);
		v = v * base + digit;
	}
	return (v);
}

double
js_to_number(const char *s, size_t len)
{
	const char	*end = s + len, *p;
	char		*stop;
	double		 v;
	size_t		 n;

	while ((n = js_space(s, end)) > 0)
		s += n;
	if (s == end)
		return (0);
	/* Up to the first space; behind it only spaces may stand. */
	for (p = s; p < end && js_space(p, end) == 0; p++)
		;
	len = (size_t)(p - s);
	for (; p < end; p += n)
		if ((n = js_space(p, end)) == 0)
			return (NAN);
	end = s + len;
	if (end - s > 2 && s[0] == '0' && strchr("xXoObB", s[1]) != NULL)
		return (js_radix(s + 2, end, (s[1] | 0x20) == 'x' ? 16 :
		    (s[1] | 0x20) == 'o' ? 8 : 2));
	p = s + (*s == '+' || *s == '-');
	if ((size_t)(end - p) == 8 && memcmp(p, "Infinity", 8) == 0)
		return (*s == '-' ? -INFINITY : INFINITY);
	/* strtod() knows more than JavaScript: hex, nan, inf. */
	for (const char *q = p; q < end; q++)
		if (strchr("0123456789.eE+-", *q) == NULL || *q == '\0')
			return (NAN);
	v = strtod(s, &stop);
	return (stop == end ? v : NAN);
}

/* ---- printing ---- */

/* The fewest digits that read back as v, in dst; returns the exponent. */
static int
js_digits(char *dst, double v)
{
	char	 text[40], *e;
	int	 n = v < DBL_MIN ? 0 : 14;

	/* 15 digits always survive being a double, 17 make any double; below the
	 * normal ones there are fewer. */
	for (; n < 17; n++) {
		snprintf(text, sizeof(text), "%.*e", n, v);
		if (strtod(text, NULL) == v)
			break;
	}
	e = strchr(text, 'e');
	n = 0;
	for (const char *p = text; p < e; p++)
		if (*p != '.')
			dst[n++] = *p;
	while (n > 1 && dst[n - 1] == '0')
		n--;
	dst[n] = '\0';
	return (atoi(e + 1));
}

void
js_number(char dst[JS_NUMBER], double v)
{
	char	 digits[24];
	int	 exp, n;

	if (!isfinite(v)) {
		strcpy(dst, "null");
		return;
	}
	if (fabs(v) < 1e15 && v == (double)(long long)v) {
		snprintf(dst, JS_NUMBER, "%lld", (long long)v);
		return;
	}
	if (v < 0)
		*dst++ = '-';
	exp = js_digits(digits, fabs(v));
	n = (int)strlen(digits);
	if (exp >= n - 1 && exp < 21)
		sprintf(dst, "%s%.*s", digits, exp - (n - 1),
		    "000000000000000000000");
	else if (exp >= 0 && exp < 21)
		sprintf(dst, "%.*s.%s", exp + 1, digits, digits + exp + 1);
	else if (exp < 0 && exp >= -6)
		sprintf(dst, "0.%.*s%s", -exp - 1, "000000", digits);
	else
		sprintf(dst, "%c%s%se%+d", digits[0], n > 1 ? "." : "",
		    digits + 1, exp);
}

void
js_write_chars(FILE *f, const char *s, size_t len)
{
	static const char	 hex[] = "0123456789abcdef";
	const char		*names = "\b\f\n\r\t", *letters = "bfnrt", *at;

	for (size_t i = 0; i < len; i++) {
		unsigned char	c = (unsigned char)s[i];

		if (c == '"' || c == '\\') {
			putc_unlocked('\\', f);
			putc_unlocked(c, f);
		} else if (c >= 0x20)
			putc_unlocked(c, f);
		else if (c != 0 && (at = strchr(names, c)) != NULL) {
			putc_unlocked('\\', f);
			putc_unlocked(letters[at - names], f);
		} else {
			fputs("\\u00", f);
			putc_unlocked(hex[c >> 4], f);
			putc_unlocked(hex[c & 15], f);
		}
	}
}

void
js_write_string(FILE *f, const char *s, size_t len)
{
	putc_unlocked('"', f);
	js_write_chars(f, s, len);
	putc_unlocked('"', f);
}

static void
js_write_object(FILE *f, json_t *o)
{
	const char	*key;
	json_t		*v;
	int		 more = 0;

	putc_unlocked('{', f);
	json_object_foreach(o, key, v) {
		if (more++)
			putc_unlocked(',', f);
		js_write_string(f, key, strlen(key));
		putc_unlocked(':', f);
		js_write(f, v);
	}
	putc_unlocked('}', f);
}

void
js_write(FILE *f, const json_t *v)
{
	char	 number[JS_NUMBER];

	switch (json_typeof(v)) {
	case JSON_OBJECT:
		js_write_object(f, (json_t *)(uintptr_t)v);
		break;
	case JSON_ARRAY:
		putc_unlocked('[', f);
		for (size_t i = 0; i < json_array_size(v); i++) {
			if (i > 0)
				putc_unlocked(',', f);
			js_write(f, json_array_get(v, i));
		}
		putc_unlocked(']', f);
		break;
	case JSON_STRING:
		js_write_string(f, json_string_value(v),
		    json_string_length(v));
		break;
	case JSON_INTEGER:
	case JSON_REAL:
		js_number(number, json_number_value(v));
		fputs(number, f);
		break;
	case JSON_TRUE:
		fputs("true", f);
		break;
	case JSON_FALSE:
		fputs("false", f);
		break;
	case JSON_NULL:
		fputs("null", f);
		break;
	}
}

void
js_write_plain(FILE *f, const json_t *v)
{
	if (v == NULL)
		fputs("undefined", f);
	else if (json_is_string(v))
		fwrite(json_string_value(v), 1, json_string_length(v), f);
	else if (json_is_object(v))
		fputs("[object Object]", f);
	else if (!json_is_array(v))
		js_write(f, v);
	else
		for (size_t i = 0; i < json_array_size(v); i++) {
			if (i > 0)
				putc_unlocked(',', f);
			if (!json_is_null(json_array_get(v, i)))
				js_write_plain(f, json_array_get(v, i));
		}
}

/*
 * One stream is kept: to make one is three calls of malloc and 8 KiB cleared.  A
 * text that is begun within another has a stream of its own.
 */
static struct {
	FILE	*f;
	char	*data;
	size_t	 len;		/* with the terminator */
	int	 used;
} js_kept;

static void
js_forget(void)
{
	fclose(js_kept.f);
	free(js_kept.data);
	memset(&js_kept, 0, sizeof(js_kept));
}

int
js_begin(struct js_text *t)
{
	t->data = NULL;
	t->len = 0;
	t->kept = !js_kept.used;
	if (!t->kept) {
		t->f = open_memstream(&t->data, &t->len);
		return (t->f == NULL ? -1 : 0);
	}
	if (js_kept.f == NULL)
		js_kept.f = open_memstream(&js_kept.data, &js_kept.len);
	t->f = js_kept.f;
	js_kept.used = t->f != NULL;
	return (t->f == NULL ? -1 : 0);
}

int
js_end(struct js_text *t)
{
	int	 bad = ferror(t->f);

	if (!t->kept) {
		if (fclose(t->f) == 0 && !bad)
			return (0);
		free(t->data);
		t->data = NULL;
		return (-1);
	}
	/* A longer text may have stood there before. */
	if (putc('\0', t->f) == EOF || fflush(t->f) == EOF || bad) {
		js_forget();
		return (-1);
	}
	t->data = js_kept.data;
	t->len = js_kept.len - 1;
	return (0);
}

void
js_clear(struct js_text *t)
{
	if (t->data == NULL)
		return;
	if (!t->kept)
		free(t->data);
	else if (js_kept.len > JS_KEEP)
		js_forget();
	else {
		rewind(js_kept.f);
		js_kept.used = 0;
	}
	t->data = NULL;
}
