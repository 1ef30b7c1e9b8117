"""The mask of an address: province, city and district, and nothing that narrows it down further."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volunteerkit.privacy import HIDDEN, mask

SHOWN = {
    "江西省新余市渝水区某路1号": "江西省新余市渝水区",
    "江西省新余市渝水区城南街道胜利社区阳光小区3栋2单元501室": "江西省新余市渝水区",
    "江西新余渝水区仙来大道": "江西新余渝水区",
    "江西省新余市分宜县钤东街道府前路５号": "江西省新余市分宜县",
    "江西省新余市高新技术产业开发区阳光大道": "江西省新余市",
    "江西省新余市仙女湖风景名胜区": "江西省新余市",
    "江西省新余市胜利北路幸福小区": "江西省新余市",
    "江西省新余市阳光社区2号": "江西省新余市",
    "江西省　新余市，渝水区 抱石大道": "江西省新余市渝水区",
    "中国江西省新余市渝水区": "江西省新余市渝水区",
    "338000江西省新余市渝水区北湖路": "江西省新余市渝水区",
    "江西省贵溪市雄石街道": "江西省贵溪市",
    "江西省宜春市丰城市剑光街道农贸市场旁": "江西省宜春市丰城市",
    "新余市渝水区良山镇下保村": "新余市渝水区",
    "渝水区长青小区": "渝水区",
    "分宜县城关镇": "分宜县",
    "北京市朝阳区望京街道花家地北里小区": "北京市朝阳区",
    "上海市浦东新区张江镇高科苑小区": "上海市浦东新区",
    "重庆市渝中区解放碑街道": "重庆市渝中区",
    "重庆市酉阳土家族苗族自治县桃花源街道": "重庆市酉阳土家族苗族自治县",
    "内蒙古自治区呼伦贝尔市鄂伦春自治旗阿里河镇": "内蒙古自治区呼伦贝尔市鄂伦春自治旗",
    "内蒙古自治区鄂尔多斯市达拉特旗树林召镇": "内蒙古自治区鄂尔多斯市达拉特旗",
    "内蒙古锡林郭勒盟锡林浩特市额尔敦路": "内蒙古锡林郭勒盟锡林浩特市",
    "新疆维吾尔自治区巴音郭楞蒙古自治州库尔勒市石化大道": "新疆维吾尔自治区巴音郭楞蒙古自治州库尔勒市",
    "新疆喀什地区疏勒县巴仁乡": "新疆喀什地区疏勒县",
    "广西壮族自治区桂林市七星区": "广西壮族自治区桂林市七星区",
    "四川省凉山彝族自治州西昌市航天大道": "四川省凉山彝族自治州西昌市",
    "云南省临沧市双江拉祜族佤族布朗族傣族自治县勐勐镇": "云南省临沧市双江拉祜族佤族布朗族傣族自治县",
    "湖北省神农架林区松柏镇": "湖北省神农架林区",
    "广东省东莞市南城街道鸿福社区": "广东省东莞市",
    "广东省中山市东区街道": "广东省中山市东区",
    "江苏省苏州市昆山市玉山镇": "江苏省苏州市昆山市",
    "江苏省苏州市姑苏区平江街道": "江苏省苏州市姑苏区",
    "黑龙江省哈尔滨市道里区中央大街": "黑龙江省哈尔滨市道里区",
    "湖南省岳阳市岳阳楼区": "湖南省岳阳市岳阳楼区",
    "江西省萍乡市安源区": "江西省萍乡市安源区",
    "浙江省嘉兴市桐乡市乌镇": "浙江省嘉兴市桐乡市",
    "江苏省镇江市京口区": "江苏省镇江市京口区",
    "山东省东营市东营区文汇街道": "山东省东营市东营区",
    "青海省西宁市城东区": "青海省西宁市城东区",
    "河南省开封市顺河回族区": "河南省开封市顺河回族区",
}
NOTHING = [
    "阳光小区3栋", "胜利社区", "幸福里社区居委会", "万科城市花园2期", "红旗路12号", "红旗小区", "长林机械厂家属区", "市场路8号",
    "农贸市场旁", "幸福超市楼上", "江铃工业区宿舍", "第四中学校区", "阳光花园东区", "城东新区安置小区", "恒大名都小区", "长青北路教工住宅区",
    "良山镇下保村委会", "某某乡某某村三组", "１号楼２单元", "No. 1 Shengli Road, Yushui District", "Flat 5, 12 High Street", "某市", "都市春天小区",
]  # fmt: skip


@pytest.mark.parametrize(("address", "shown"), SHOWN.items())
def test_an_address_is_shown_down_to_the_district(address: str, shown: str) -> None:
    assert mask("address", address) == shown + HIDDEN


@pytest.mark.parametrize("address", NOTHING)
def test_what_may_be_an_estate_or_a_street_is_not_shown(address: str) -> None:
    assert mask("address", address) == HIDDEN


@pytest.mark.parametrize("front", ["", "江西省新余市", "江西省新余市渝水区", "北京市朝阳区", "新余市渝水区"])
@given(
    name=st.text("阳光花园幸福里万科城都翠竹东西南北中一二三红旗新", min_size=1, max_size=5),
    kind=st.sampled_from(
        ["小区", "社区", "园区", "住宅区", "家属区", "开发区", "路", "街道", "镇", "乡", "村", "大道", "苑"]
    ),
)
def test_no_estate_community_or_street_is_ever_shown(front: str, name: str, kind: str) -> None:
    shown = mask("address", f"{front}{name}{kind}88号")
    assert shown.removesuffix(HIDDEN) in (front, ""), shown
