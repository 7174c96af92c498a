"""pprof's messages for the `protobuf` package, from the published numbers of their fields."""

from __future__ import annotations

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# google/pprof, proto/profile.proto: name and number of each field; "+" repeated, then its type where it is no int64.
PUBLISHED = {
    "Profile": "+sample_type=1:ValueType +sample=2:Sample +mapping=3:Mapping +location=4:Location "
    "+function=5:Function +string_table=6:string drop_frames=7 keep_frames=8 time_nanos=9 duration_nanos=10 "
    "period_type=11:ValueType period=12 +comment=13 default_sample_type=14 doc_url=15",
    "ValueType": "type=1 unit=2",
    "Sample": "+location_id=1:uint64 +value=2 +label=3:Label",
    "Label": "key=1 str=2 num=3 num_unit=4",
    "Mapping": "id=1:uint64 memory_start=2:uint64 memory_limit=3:uint64 file_offset=4:uint64 filename=5 build_id=6 "
    "has_functions=7:bool has_filenames=8:bool has_line_numbers=9:bool has_inline_frames=10:bool",
    "Location": "id=1:uint64 mapping_id=2:uint64 address=3:uint64 +line=4:Line is_folded=5:bool",
    "Line": "function_id=1:uint64 line=2 column=3",
    "Function": "id=1:uint64 name=2 system_name=3 filename=4 start_line=5",
}
_FIELD = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "": _FIELD.TYPE_INT64,
    "uint64": _FIELD.TYPE_UINT64,
    "bool": _FIELD.TYPE_BOOL,
    "string": _FIELD.TYPE_STRING,
}


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="pprof.proto", package="pprof", syntax="proto3")
    for name, fields in PUBLISHED.items():
        message = file.message_type.add(name=name)
        for text in fields.split():
            what, _, type_ = text.partition(":")
            field, _, number = what.lstrip("+").partition("=")
            added = message.field.add(name=field, number=int(number))
            added.label = _FIELD.LABEL_REPEATED if what.startswith("+") else _FIELD.LABEL_OPTIONAL
            added.type = _TYPES.get(type_, _FIELD.TYPE_MESSAGE)
            if type_ not in _TYPES:
                added.type_name = f".pprof.{type_}"
    return file


_POOL = descriptor_pool.DescriptorPool()
_POOL.Add(_file())
Profile = message_factory.GetMessageClass(_POOL.FindMessageTypeByName("pprof.Profile"))
