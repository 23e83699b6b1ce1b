#include "hostd/usage_json.h"

#include "inventory/json.h"

sd_json_variant *usage_json(const struct memory_usage *usage) {
	sd_json_variant *object = NULL, *list = json_array();
	for (size_t i = 0; i < usage->shared_count; i++) {
		const struct memory_shared *shared = &usage->shared[i];
		sd_json_variant *entry = NULL;
		json_set_string(&entry, "path", shared->path);
		json_set_number(&entry, "size", shared->size);
		json_set_flag(&entry, "own", shared->own);
		json_append(&list, entry);
	}
	json_set_number(&object, "memory", usage->memory);
	json_set_number(&object, "limit", usage->limit);
	json_set_flag(&object, "hugePages", usage->page != 0);
	if (usage->page > MEMORY_PAGE_DEFAULT) {
		json_set_number(&object, "pageSize", usage->page);
	}
	json_set(&object, "shared", list);
	return object;
}

static uint64_t get_number(sd_json_variant *object, const char *name) {
	sd_json_variant *value = sd_json_variant_by_key(object, name);
	return value ? sd_json_variant_unsigned(value) : 0;
}

static bool get_flag(sd_json_variant *object, const char *name) {
	sd_json_variant *value = sd_json_variant_by_key(object, name);
	return value && sd_json_variant_is_boolean(value) && sd_json_variant_boolean(value);
}

bool usage_json_read(struct memory_usage *usage, sd_json_variant *object) {
	*usage = (struct memory_usage){0};
	if (!object || !sd_json_variant_is_object(object)) {
		return false;
	}
	usage->memory = get_number(object, "memory");
	usage->limit = get_number(object, "limit");
	usage->page = get_number(object, "pageSize");
	if (usage->page == 0 && get_flag(object, "hugePages")) {
		usage->page = MEMORY_PAGE_DEFAULT;
	}
	sd_json_variant *list = sd_json_variant_by_key(object, "shared");
	size_t count = list && sd_json_variant_is_array(list) ? sd_json_variant_elements(list) : 0;
	for (size_t i = 0; i < count; i++) {
		sd_json_variant *entry = sd_json_variant_by_index(list, i);
		sd_json_variant *path = sd_json_variant_is_object(entry)
						? sd_json_variant_by_key(entry, "path")
						: NULL;
		if (path && sd_json_variant_is_string(path)) {
			memory_usage_share(usage, sd_json_variant_string(path),
				get_number(entry, "size"), get_flag(entry, "own"));
		}
	}
	return true;
}
